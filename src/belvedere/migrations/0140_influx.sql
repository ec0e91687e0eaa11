-- InfluxDB as the home of measured values: tokens that were made there, and the values of the campaign's tag.

CREATE TABLE influx_token (
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('read', 'write', 'both')),
    -- Its number in InfluxDB; its value is sealed among the credentials, since newer servers tell it once only.
    number text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, purpose)
);
SELECT fence_tenant_table('influx_token');

CREATE TABLE influx_campaign (
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    name text NOT NULL,
    -- What stands in the tag `campaign` of its points; the last one is written. A tag cannot be changed in a point, so
    -- a campaign that was given another name keeps the old value and gets a second one.
    tags text[] NOT NULL,
    hidden_at timestamptz,
    -- The columns that PostgreSQL's view of the same points would have beside the common ones.
    quantities text[] NOT NULL DEFAULT '{}',
    -- Seconds since 1970 of the first and the last row that came.
    first_s bigint,
    last_s bigint,
    PRIMARY KEY (tenant_id, name)
);
SELECT fence_tenant_table('influx_campaign');
