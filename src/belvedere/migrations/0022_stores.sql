-- Stores: where tenants' tables live, the logins that reach them, and the relations that the watcher knows.

CREATE TABLE store_login (
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('writer', 'reader')),
    -- Opaque: it tells nothing about its tenant. Written before the role is made, so that a role of this name is ours.
    role_name text NOT NULL UNIQUE,
    PRIMARY KEY (tenant_id, kind)
);
SELECT fence_tenant_table('store_login');

CREATE TABLE store (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    kind text NOT NULL,
    server text NOT NULL,
    database text NOT NULL,
    -- The database's own number on its server, known once it is ready: the watcher's key.
    database_oid bigint,
    state text NOT NULL CHECK (state IN ('planned', 'ready')),
    created_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz,
    UNIQUE (tenant_id, kind),
    UNIQUE (server, database)
);
SELECT fence_tenant_table('store');

CREATE TABLE relation (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    store_id uuid NOT NULL REFERENCES store (id) ON DELETE CASCADE,
    oid bigint NOT NULL,
    schema text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    columns jsonb NOT NULL,
    -- NULL while the server has not counted.
    rows_estimate bigint,
    size_bytes bigint NOT NULL,
    readable boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('new', 'loading', 'empty', 'stable', 'gone')),
    -- Which look found it: quick, signal or full.
    found_by text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    stable_at timestamptz,
    gone_at timestamptz
);
CREATE UNIQUE INDEX relation_here ON relation (store_id, oid) WHERE state <> 'gone';
CREATE INDEX relation_of_tenant ON relation (tenant_id);
SELECT fence_tenant_table('relation');

-- How the watcher fares, one row per server, for `status`, `doctor` and the settings page.
CREATE TABLE watch_state (
    server text PRIMARY KEY,
    looked_at timestamptz,
    last_full_at timestamptz,
    error text,
    retry_at timestamptz,
    -- Relations that the quick look should have found and the full look did.
    missed bigint NOT NULL DEFAULT 0
);
