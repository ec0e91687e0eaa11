-- One dashboard per table of a tenant's store. A table that goes and comes back finds its dashboard again.

CREATE TABLE dashboard (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    store_id uuid NOT NULL,
    store_kind text NOT NULL,
    database_name text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    template text NOT NULL,
    family text NOT NULL,
    title text NOT NULL,
    subject text NOT NULL,
    guess boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('working', 'ready', 'waiting', 'needs you', 'gone')),
    -- The sentence that explains a state other than ready.
    message text NOT NULL DEFAULT '',
    -- A path of the portal, or the whole address in a Grafana.
    url text NOT NULL DEFAULT '',
    -- What was looked at (columns, types, override, catalogue): the same again needs no second look.
    seen text NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT now(),
    -- The typed dashboard and the reasons for it, as `dashboards/model.py` writes them.
    model jsonb NOT NULL,
    why jsonb NOT NULL,
    version int NOT NULL DEFAULT 1,
    override_template text,
    override_reason text NOT NULL DEFAULT '',
    override_by text NOT NULL DEFAULT '',
    override_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    gone_at timestamptz,
    UNIQUE (store_id, schema_name, table_name)
);
CREATE INDEX dashboard_of_tenant ON dashboard (tenant_id, id) WHERE state <> 'gone';
SELECT fence_tenant_table('dashboard');
