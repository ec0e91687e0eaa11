-- Dashboards that people made in Grafana and brought in as templates. They belong to the installation.

CREATE TABLE grafana_template (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    title text NOT NULL,
    -- As it was exported, placeholders and all.
    document json NOT NULL,
    -- The template of the catalogue in whose place it is drawn in Grafana, or nothing: then only where it is chosen.
    stands_for text UNIQUE,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);

-- Dashboards that are drawn by one of them, whatever the catalogue says.
CREATE TABLE dashboard_grafana_template (
    dashboard_id uuid PRIMARY KEY REFERENCES dashboard (id) ON DELETE CASCADE,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    template_id uuid NOT NULL REFERENCES grafana_template (id) ON DELETE CASCADE
);
CREATE INDEX ON dashboard_grafana_template (template_id);
SELECT fence_tenant_table('dashboard_grafana_template');
