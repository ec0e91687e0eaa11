-- The fleet of uploads, for operators: what came of every file of every tenant, and the dashboard about it in Grafana.
-- Members' role is granted none of it: a view reads with its owner's rights, and row security would not hold there.

-- Charts go by steps of ten minutes: one dot a file would be a line of ones.
CREATE INDEX upload_done ON upload (date_bin('10 min', ended_at, '2000-01-01T00:00:00Z'))
    WHERE state IN ('parsed', 'refused') AND ended_at IS NOT NULL;

CREATE VIEW upload_fleet AS
SELECT date_bin('10 min', upload.ended_at, '2000-01-01T00:00:00Z') AS "time", upload.ended_at AS ended,
       coalesce(intake_run.started_at, upload.ended_at) AS run, tenant.name AS tenant,
       coalesce(campaign.name, '') AS campaign, upload.device, upload.name AS file,
       CASE upload.state WHEN 'parsed' THEN 'success' ELSE 'error' END AS outcome,
       CASE upload.state WHEN 'refused' THEN coalesce(nullif(upload.code, ''), 'unknown') END AS reason,
       upload.points::float8 AS points, (upload.rows + upload.skipped)::float8 AS rows,
       upload.size_bytes / 1e6::float8 AS megabytes,
       extract(epoch FROM upload.ended_at - upload.started_at)::float8 AS seconds,
       extract(epoch FROM upload.ended_at - intake_run.started_at)::float8 AS elapsed
FROM upload
JOIN tenant ON tenant.serial = upload.tenant_id
LEFT JOIN campaign ON campaign.id = upload.campaign_id
LEFT JOIN intake_run ON intake_run.id = upload.run
WHERE upload.state IN ('parsed', 'refused') AND upload.ended_at IS NOT NULL;

-- The token that reads the summary points in InfluxDB and nothing else; its value is sealed.
CREATE TABLE fleet_token (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- The bucket that it is for, and its number in InfluxDB.
    bucket text NOT NULL,
    number text NOT NULL,
    sealed bytea NOT NULL,
    version integer NOT NULL DEFAULT 1,
    made_at timestamptz NOT NULL DEFAULT now()
);

-- The dashboard in a Grafana: numbers, versions and digests, no secret.
CREATE TABLE fleet_board (
    url text PRIMARY KEY,
    organisation_name text NOT NULL DEFAULT '',
    organisation bigint,
    -- Written before the organisation is asked for: one that was left half-made is known again.
    asked_at timestamptz,
    source_version bigint,
    source_at timestamptz,
    board_version bigint,
    -- Of what was written, the newest first.
    digests text[] NOT NULL DEFAULT '{}',
    -- The last look, for pages.
    looked_at timestamptz,
    warnings text[] NOT NULL DEFAULT '{}',
    problem text NOT NULL DEFAULT '',
    problem_code text NOT NULL DEFAULT '',
    problem_hint text NOT NULL DEFAULT '',
    problem_since timestamptz
);
