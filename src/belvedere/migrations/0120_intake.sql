-- Files that come in: campaigns (folders), uploads (files) and what doors noted about folders.
-- Names and paths are text: what is not UTF-8, and what controls a terminal, stands as `\xNN` (`intake/names.py`).

CREATE TABLE campaign (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    -- The name of its folder.
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'deleted')),
    -- Device and number of the folder in its file system: by them a folder with another name is known again.
    folder text NOT NULL DEFAULT '',
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    -- When the store was made ready for its points; none: it is not yet, `error` says why.
    prepared_at timestamptz,
    deleted_at timestamptz,
    error text,
    -- A new name whose points still stand under the old one.
    points_under text
);
CREATE UNIQUE INDEX campaign_name ON campaign (tenant_id, name) WHERE state = 'active';
SELECT fence_tenant_table('campaign');

CREATE TABLE upload (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    campaign_id uuid REFERENCES campaign ON DELETE SET NULL,
    device text NOT NULL DEFAULT '',
    -- Below the tenant's folder, without a slash at either end.
    folder text NOT NULL,
    name text NOT NULL,
    -- Which taker it is for; empty while nobody has looked inside.
    kind text NOT NULL DEFAULT '',
    size_bytes bigint NOT NULL,
    -- The file as it was seen last: device and number, and when it was changed, by which it is known again.
    file text NOT NULL,
    changed_ns bigint NOT NULL,
    -- Since when it has been as it is, by our clock.
    still_since timestamptz NOT NULL,
    -- A notice said that it was closed.
    closed boolean NOT NULL DEFAULT false,
    sha256 bytea,
    version integer NOT NULL DEFAULT 1,
    state text NOT NULL CHECK
        (state IN ('received', 'reading', 'stored', 'parsed', 'refused', 'waiting', 'left', 'gone')),
    via text NOT NULL,
    received_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    points bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    first_at timestamptz,
    last_at timestamptz,
    error text,
    code text,
    report jsonb,
    -- The earlier upload with this content in this folder.
    same_as uuid,
    -- Where the file is now, below the tenant's folder; none while it is where it came.
    moved_to text,
    -- The run that took it, one report each. A runner ends a try only while its run still stands here.
    run uuid,
    failures integer NOT NULL DEFAULT 0,
    again_at timestamptz
);
-- One open row a place: whoever looks twice notes a file once.
CREATE UNIQUE INDEX upload_open ON upload (tenant_id, folder, name)
    WHERE state IN ('received', 'reading', 'stored', 'waiting', 'left');
CREATE INDEX upload_due ON upload (tenant_id, received_at, changed_ns, id) WHERE state IN ('received', 'waiting');
CREATE INDEX upload_of_tenant ON upload (tenant_id, id DESC);
CREATE INDEX upload_of_campaign ON upload (campaign_id, id DESC);
CREATE INDEX upload_place ON upload (tenant_id, folder, name, id DESC);
CREATE INDEX upload_content ON upload (tenant_id, sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX upload_of_run ON upload (run) WHERE run IS NOT NULL;
SELECT fence_tenant_table('upload');

-- A run is what was taken in one go: it ends with one report.
CREATE TABLE intake_run (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- The file of its report, below the folder of the reports.
    report text
);
CREATE INDEX intake_run_open ON intake_run (tenant_id) WHERE ended_at IS NULL;
SELECT fence_tenant_table('intake_run');

-- What doors noted. A notice only causes a look; the key keeps a notice that comes twice from counting twice.
CREATE TABLE intake_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    key text NOT NULL,
    -- Below the tenant's folder; empty means all of it.
    path text NOT NULL,
    what text NOT NULL CHECK (what IN ('closed', 'made', 'renamed', 'removed', 'look')),
    via text NOT NULL,
    at timestamptz NOT NULL,
    noted_at timestamptz NOT NULL,
    -- When the folder was looked at because of it.
    looked_at timestamptz,
    UNIQUE (tenant_id, key)
);
CREATE INDEX intake_event_open ON intake_event (tenant_id, id) WHERE looked_at IS NULL;
CREATE INDEX intake_event_old ON intake_event (noted_at);
SELECT fence_tenant_table('intake_event');

-- What is wrong with a place, until a look finds it right: a folder that cannot be a campaign, one of no tenant.
CREATE TABLE intake_trouble (
    -- None for what only operators see: a folder that belongs to no tenant.
    tenant_id bigint REFERENCES tenant (serial) ON DELETE CASCADE,
    path text NOT NULL,
    code text NOT NULL,
    error text NOT NULL,
    since timestamptz NOT NULL
);
CREATE UNIQUE INDEX intake_trouble_place ON intake_trouble (coalesce(tenant_id, 0), path);
SELECT fence_tenant_table('intake_trouble');
