-- Tenants: who owns data. The serial number is the `id` of the API's paths and the `tenant_id` of every table.

CREATE TABLE tenant (
    serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The same number under the name by which every tenant's row is fenced.
    tenant_id bigint GENERATED ALWAYS AS (serial) STORED,
    id uuid NOT NULL UNIQUE,
    name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 49),
    -- The name without case: two tenants never differ by case only.
    name_key text NOT NULL UNIQUE,
    slug text NOT NULL UNIQUE,
    kind text NOT NULL DEFAULT 'tables',
    -- SHA-256 of the API key. The key has 160 random bits, so a slow hash would add nothing.
    api_key_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    deleting_since timestamptz,
    keep_data boolean NOT NULL DEFAULT false
);
SELECT fence_tenant_table('tenant');

-- What has to be done for a tenant, room by room, and how far it is. The tenant's state is read from here.
CREATE TABLE tenant_step (
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    room text NOT NULL,
    key text NOT NULL,
    position int NOT NULL,
    sign text NOT NULL,
    title text NOT NULL,
    target text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('planned', 'working', 'done', 'failed', 'waiting', 'skipped')),
    error text,
    next_try_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, room, key)
);
SELECT fence_tenant_table('tenant_step');
