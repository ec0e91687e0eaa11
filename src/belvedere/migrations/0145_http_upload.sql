-- Files that members send over HTTP, part by part. The bytes lie in a hidden folder of the tenant's own until the last
-- one is there; then the file appears whole where it belongs.

CREATE TABLE http_upload (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    -- Where it is going, below the tenant's folder, as text (`intake/names.py`).
    folder text NOT NULL,
    name text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    -- How many bytes are on disk, and flushed.
    received_bytes bigint NOT NULL DEFAULT 0 CHECK (received_bytes BETWEEN 0 AND size_bytes),
    -- What the sender calls this content, so that it can go on after a break; empty: it cannot.
    resume_key text NOT NULL DEFAULT '',
    begun_by text NOT NULL,
    begun_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,
    -- When it was put in its place.
    done_at timestamptz
);
CREATE INDEX http_upload_open ON http_upload (tenant_id, folder, name) WHERE done_at IS NULL;
CREATE INDEX http_upload_touched ON http_upload (touched_at);
SELECT fence_tenant_table('http_upload');
