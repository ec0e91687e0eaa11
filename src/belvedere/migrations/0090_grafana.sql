-- Tenants' workspaces in a Grafana: which tier each has, and what was made there, by key. No secret stands here.

CREATE TABLE workspace_tier (
    tenant_id bigint PRIMARY KEY REFERENCES tenant (serial) ON DELETE CASCADE,
    tier text NOT NULL CHECK (tier IN ('viewer', 'org', 'team', 'instance')),
    chosen_at timestamptz NOT NULL DEFAULT now()
);
SELECT fence_tenant_table('workspace_tier');

-- Tenants that were there before keep the viewer until somebody moves them.
INSERT INTO workspace_tier (tenant_id, tier) SELECT tenant_id, 'viewer' FROM workspace;

CREATE TABLE grafana_workspace (
    tenant_id bigint PRIMARY KEY REFERENCES tenant (serial) ON DELETE CASCADE,
    -- The Grafana's address, so that a record is never taken for one of another server.
    url text NOT NULL,
    -- Written before the organisation is asked for; the number is known after it was made.
    organisation_name text NOT NULL,
    organisation bigint,
    -- When a name that was taken turned out to be an organisation that was left half-made here, this is the proof.
    asked_at timestamptz,
    problem text NOT NULL DEFAULT '',
    problem_code text NOT NULL DEFAULT '',
    problem_since timestamptz,
    looked_at timestamptz
);
SELECT fence_tenant_table('grafana_workspace');

CREATE TABLE grafana_object (
    tenant_id bigint NOT NULL REFERENCES grafana_workspace (tenant_id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('source', 'folder', 'board', 'account', 'capture')),
    -- What it is for: the store's kind, the dashboard's id, or `main`.
    key text NOT NULL,
    uid text NOT NULL DEFAULT '',
    number bigint,
    version bigint,
    -- Digests of what was written, the newest first: what bears one of them is ours, changed by nobody.
    digests text[] NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'ours' CHECK (state IN ('ours', 'changed by hand', 'restore', 'detached')),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, kind, key)
);
SELECT fence_tenant_table('grafana_object');
