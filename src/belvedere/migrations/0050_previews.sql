-- Pictures of dashboards: the rounds in which they are taken, each try, who may open a page to take one.

CREATE TABLE preview (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL,
    dashboard_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'working', 'captured', 'failed')),
    -- The moment of the dashboard's change that this picture shows, or is to show.
    version timestamptz NOT NULL,
    -- Also the fence: a runner ends a try only while its number still stands here.
    attempts integer NOT NULL DEFAULT 0,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    next_try_at timestamptz,
    started_at timestamptz,
    captured_at timestamptz,
    duration_ms integer,
    error text,
    code text,
    -- Relative to the folder of the pictures.
    gif_path text,
    png_path text,
    width integer,
    height integer,
    frames integer,
    gif_bytes bigint
);
CREATE INDEX preview_of_dashboard ON preview (dashboard_id, id DESC);
CREATE UNIQUE INDEX preview_open ON preview (dashboard_id) WHERE state IN ('waiting', 'working');
CREATE INDEX preview_waiting ON preview (requested_at) WHERE state IN ('waiting', 'working');
CREATE INDEX preview_of_tenant ON preview (tenant_id);
SELECT fence_tenant_table('preview');

CREATE TABLE preview_attempt (
    preview_id uuid NOT NULL REFERENCES preview ON DELETE CASCADE,
    tenant_id bigint NOT NULL,
    number integer NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text NOT NULL CHECK (outcome IN ('working', 'captured', 'failed', 'lost')),
    error text,
    PRIMARY KEY (preview_id, number)
);
SELECT fence_tenant_table('preview_attempt');

-- The folder of a tenant's pictures has a name that tells nothing about the tenant.
CREATE TABLE preview_folder (
    tenant_id bigint PRIMARY KEY,
    name text NOT NULL UNIQUE
);
SELECT fence_tenant_table('preview_folder');

-- A capture token opens one dashboard once; the session that it turns into opens that dashboard for a minute or so.
-- Only hashes stand here.
CREATE TABLE capture_token (
    hash bytea PRIMARY KEY,
    tenant_id bigint NOT NULL,
    dashboard_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    session_hash bytea UNIQUE
);
CREATE INDEX capture_token_expires ON capture_token (expires_at);
SELECT fence_tenant_table('capture_token');
