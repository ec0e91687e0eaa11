-- What came of each dashboard (its newest good preview, the first message about it), and the three tables of
-- dashboards under which existing SQL readers know them.

CREATE VIEW dashboard_outcome WITH (security_invoker = true) AS
SELECT d.id AS dashboard_id, d.tenant_id, p.id AS preview_id, p.captured_at, p.gif_path, s.sent_at
FROM dashboard d
LEFT JOIN LATERAL (
    SELECT id, captured_at, gif_path FROM preview
    WHERE preview.dashboard_id = d.id AND state = 'captured' ORDER BY id DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT min(sent_at) AS sent_at FROM delivery WHERE delivery.dashboard_id = d.id AND state = 'sent'
) s ON true;
SELECT open_to_members('dashboard_outcome', 'SELECT');

CREATE FUNCTION dashboards_of_kind(wanted text) RETURNS TABLE (
    id uuid, user_id bigint, username text, table_name text, dashboard_url text, local_snapshot_url text, source text,
    created_at timestamptz, app_user_id bigint, app_username text, slack_sent_at timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT d.id, d.tenant_id, t.name, d.table_name, d.url, o.gif_path, d.database_name, d.created_at, d.tenant_id,
        t.name, o.sent_at
    FROM dashboard d JOIN tenant t ON t.serial = d.tenant_id JOIN dashboard_outcome o ON o.dashboard_id = d.id
    WHERE d.store_kind = wanted AND d.state <> 'gone'
$$;

CREATE VIEW dashboardtiming WITH (security_invoker = true) AS SELECT * FROM dashboards_of_kind('timing_report');
CREATE VIEW dashboardqor WITH (security_invoker = true) AS SELECT * FROM dashboards_of_kind('QOR');
CREATE VIEW dashboarddrc WITH (security_invoker = true) AS SELECT * FROM dashboards_of_kind('drc');
