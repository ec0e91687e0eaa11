-- What of each tenant's place in Grafana was applied completely, aspect by aspect, so that one change of ours costs a look
-- at that aspect alone. A digest is that of what should stand there; no password goes into one.

CREATE TABLE grafana_applied (
    tenant_id bigint NOT NULL,
    tier text NOT NULL,
    -- `members`, `source:QOR`, `board:<id>`: the words of `workspaces/grafana/narrow/aspects.py`.
    aspect text NOT NULL,
    digest text NOT NULL,
    PRIMARY KEY (tenant_id, tier, aspect),
    FOREIGN KEY (tenant_id, tier) REFERENCES grafana_workspace (tenant_id, tier) ON DELETE CASCADE
);
SELECT fence_tenant_table('grafana_applied');

-- A look at everything is due while more were asked for than were done. One that was asked for during a look is not lost.
ALTER TABLE grafana_workspace
    ADD COLUMN whole_asked bigint NOT NULL DEFAULT 0,
    ADD COLUMN whole_done bigint NOT NULL DEFAULT 0;
