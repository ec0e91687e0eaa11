-- Where a tenant looks: the built-in viewer, or a Grafana.

CREATE TABLE workspace (
    tenant_id bigint PRIMARY KEY REFERENCES tenant (serial) ON DELETE CASCADE,
    kind text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now()
);
SELECT fence_tenant_table('workspace');
