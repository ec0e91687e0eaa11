-- Credentials: named secrets of a tenant, sealed. A row of `credential` is the name; its versions hold the values.

CREATE TABLE credential (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    key_name text NOT NULL,
    -- The name without case and with aliases resolved.
    key_fold text NOT NULL,
    version int NOT NULL,
    source text NOT NULL CHECK (source IN ('hand', 'belvedere')),
    -- Secrets that Belvedere keeps for itself (a login's password) are never listed.
    internal boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    UNIQUE (tenant_id, key_fold)
);
SELECT fence_tenant_table('credential');

CREATE TABLE credential_version (
    credential_id uuid NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    version int NOT NULL,
    sealed bytea NOT NULL,
    source text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    PRIMARY KEY (credential_id, version)
);
SELECT fence_tenant_table('credential_version');
