-- What was taken over from a Grafana that other programs had provisioned: named, kept as it is, never deleted by Belvedere.

CREATE TABLE grafana_adopted (
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    url text NOT NULL,
    organisation bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('organisation', 'team', 'folder', 'source', 'board', 'user')),
    -- The uid, or the number where Grafana has no uid.
    ident text NOT NULL,
    title text NOT NULL,
    -- Who had made it: the cost monitor, the file service's playbook, the credential manager.
    shape text NOT NULL CHECK (shape IN ('organisation', 'team', 'sources')),
    adopted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (url, organisation, kind, ident)
);
CREATE INDEX grafana_adopted_tenant ON grafana_adopted (tenant_id);
SELECT fence_tenant_table('grafana_adopted');
