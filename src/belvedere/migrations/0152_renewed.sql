-- A campaign's dashboard is renewed when values came: which were the last that it shows, and when that was done. And the
-- number of its view, by which the dashboard of a campaign that was renamed is known again.

ALTER TABLE dashboard
    ADD COLUMN oid bigint,
    ADD COLUMN values_at timestamptz,
    ADD COLUMN renewed_at timestamptz;

UPDATE dashboard SET oid = relation.oid FROM relation
WHERE relation.store_id = dashboard.store_id AND relation.schema = dashboard.schema_name
    AND relation.name = dashboard.table_name AND relation.state <> 'gone' AND dashboard.state <> 'gone';
