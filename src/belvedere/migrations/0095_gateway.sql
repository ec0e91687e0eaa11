-- Who of a shared Grafana may see which tenant's rows through the query gateway.

CREATE TABLE gateway_identities (
    -- The subject of Grafana's identity token, whole: `user:12`, `service-account:16`. It outlives every renaming.
    subject text NOT NULL CHECK (subject ~ '^(user|service-account):[A-Za-z0-9_-]{1,64}$' AND subject <> 'user:0'),
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    -- The member behind it, for people who read the history.
    member text NOT NULL,
    -- The account behind it, where it is a person's: who leaves the tenant sees nothing from that moment on.
    person_id uuid,
    -- The name under which Grafana knows the subject. Where Grafana sends it too, the two must be the same.
    login text NOT NULL DEFAULT '',
    linked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, tenant_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES member (tenant_id, person_id) ON DELETE CASCADE
);
CREATE INDEX ON gateway_identities (tenant_id);
SELECT fence_tenant_table('gateway_identities');
