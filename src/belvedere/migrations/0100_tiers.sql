-- A tenant may stand in two tiers while it moves from one to the other: what was made is written down for each.

ALTER TABLE grafana_object DROP CONSTRAINT grafana_object_tenant_id_fkey;
ALTER TABLE grafana_object DROP CONSTRAINT grafana_object_pkey;
ALTER TABLE grafana_object DROP CONSTRAINT grafana_object_kind_check;
ALTER TABLE grafana_workspace DROP CONSTRAINT grafana_workspace_pkey;

ALTER TABLE grafana_workspace
    ADD COLUMN tier text NOT NULL DEFAULT 'org' CHECK (tier IN ('org', 'team', 'instance')),
    ADD PRIMARY KEY (tenant_id, tier);

ALTER TABLE grafana_object
    ADD COLUMN tier text NOT NULL DEFAULT 'org',
    ADD PRIMARY KEY (tenant_id, tier, kind, key),
    ADD FOREIGN KEY (tenant_id, tier) REFERENCES grafana_workspace (tenant_id, tier) ON DELETE CASCADE,
    ADD CHECK (kind IN ('source', 'folder', 'board', 'account', 'capture', 'team', 'member'));

-- The organisation that tenants of tier `team` share, one in each Grafana that was ever set.
CREATE TABLE grafana_shared (
    url text PRIMARY KEY,
    organisation_name text NOT NULL,
    organisation bigint,
    asked_at timestamptz
);

-- A move from one tier to another that has not ended: the place of `from_tier` stands until the new one is complete.
CREATE TABLE workspace_move (
    tenant_id bigint PRIMARY KEY REFERENCES tenant (serial) ON DELETE CASCADE,
    from_tier text NOT NULL CHECK (from_tier IN ('viewer', 'org', 'team', 'instance')),
    moved_by text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now()
);
SELECT fence_tenant_table('workspace_move');
