-- Tenants' members as users of a Grafana: one user a person and Grafana, and in whose organisation it stands.

CREATE TABLE grafana_user (
    url text NOT NULL,
    -- The member's login, lower case. It outlives the account here, so that who comes back is known again.
    login text NOT NULL CHECK (login = lower(login)),
    -- Its number in that Grafana; none while it is being made.
    number bigint,
    -- Belvedere made it, so Belvedere may give it a password, once, and delete it. Others are only added and taken out.
    made boolean NOT NULL DEFAULT false,
    -- The tenant whose sealed password proves that a user that a crash left half-made is ours.
    maker bigint,
    -- When a first password was handed over. The password itself is kept nowhere.
    handed_at timestamptz,
    PRIMARY KEY (url, login)
);
CREATE UNIQUE INDEX grafana_user_number ON grafana_user (url, number);

CREATE TABLE grafana_member (
    tenant_id bigint NOT NULL,
    tier text NOT NULL,
    login text NOT NULL CHECK (login = lower(login)),
    number bigint NOT NULL,
    role text NOT NULL,
    -- When it was taken out: the row goes after Grafana has forgotten it too and that was seen.
    left_at timestamptz,
    PRIMARY KEY (tenant_id, tier, login),
    FOREIGN KEY (tenant_id, tier) REFERENCES grafana_workspace (tenant_id, tier) ON DELETE CASCADE
);
CREATE INDEX grafana_member_number ON grafana_member (number);
SELECT fence_tenant_table('grafana_member');
