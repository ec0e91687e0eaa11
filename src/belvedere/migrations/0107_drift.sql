-- What the last look at each tenant's workspace found, so that pages tell it without asking Grafana. No secret: what
-- a plan says of passwords is masked before it comes here.

CREATE TABLE workspace_look (
    tenant_id bigint PRIMARY KEY REFERENCES tenant (serial) ON DELETE CASCADE,
    -- The end of the last look, whatever came of it, and of the last good one.
    ended_at timestamptz NOT NULL DEFAULT now(),
    good_at timestamptz,
    problem text NOT NULL DEFAULT '',
    problem_code text NOT NULL DEFAULT '',
    problem_hint text NOT NULL DEFAULT '',
    problem_since timestamptz
);
SELECT fence_tenant_table('workspace_look');

CREATE TABLE workspace_difference (
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    -- The key of the plan's step.
    key text NOT NULL,
    sign text NOT NULL CHECK (sign IN ('+', '~', '-')),
    title text NOT NULL,
    target text NOT NULL,
    -- [{"field", "old", "new"}]
    changes jsonb NOT NULL DEFAULT '[]',
    found_at timestamptz NOT NULL DEFAULT now(),
    -- When it was repaired, or was gone by itself.
    settled_at timestamptz,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX ON workspace_difference (settled_at);
SELECT fence_tenant_table('workspace_difference');
