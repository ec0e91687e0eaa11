-- How big a table was when its dashboard was looked at: one that has grown since is looked at again sooner, since the rows
-- may lie outside the time range that Grafana opens on. None where time does not matter.

ALTER TABLE dashboard ADD COLUMN size_bytes bigint;
