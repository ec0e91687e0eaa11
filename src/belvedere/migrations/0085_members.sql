-- Members: people in tenants. One account may belong to several tenants, with a role in each.

CREATE TABLE person (
    id uuid PRIMARY KEY,
    -- What it is called outside (the history, Grafana); it never changes, unlike the address.
    login text NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    email text NOT NULL,
    password_hash text NOT NULL,
    password_set_at timestamptz NOT NULL,
    must_change_password boolean NOT NULL DEFAULT false,
    last_sign_in_at timestamptz,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL
);
CREATE UNIQUE INDEX person_login ON person (lower(login));
CREATE UNIQUE INDEX person_email ON person (lower(email));

CREATE TABLE member (
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    person_id uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
    source text NOT NULL CHECK (source IN ('invitation', 'hand')),
    suspended_at timestamptz,
    seen_at timestamptz,
    joined_at timestamptz NOT NULL,
    joined_by text NOT NULL,
    PRIMARY KEY (tenant_id, person_id)
);
CREATE INDEX member_person ON member (person_id);
SELECT fence_tenant_table('member');

CREATE TABLE invitation (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    -- SHA-256 of the link's last part, which has 200 random bits.
    token_hash bytea NOT NULL UNIQUE,
    email text,
    role text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    used_by text,
    withdrawn_at timestamptz
);
CREATE INDEX invitation_tenant ON invitation (tenant_id);
SELECT fence_tenant_table('invitation');

-- Inside a tenant's fence an account shows only as a member of that tenant, and never its password; nobody joins
-- from inside: that takes an invitation or an operator.
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
DO $$
DECLARE
    role_name text := member_role FROM installation;
BEGIN
    EXECUTE format('CREATE POLICY own_members ON person FOR SELECT TO %I '
                   'USING (EXISTS (SELECT FROM member WHERE member.person_id = person.id))', role_name);
    EXECUTE format('GRANT SELECT (id, login, name, email, created_at) ON person TO %I', role_name);
    EXECUTE format('REVOKE INSERT ON member FROM %I', role_name);
END $$;

-- Who belongs to no tenant any more has no account: with the last membership goes the person, its sessions and its
-- password. A trigger, because memberships also go with their tenant, and from inside the fence.
CREATE FUNCTION forget_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Two last memberships that end at once would each see the other: the account's row puts them in order.
    PERFORM FROM public.person WHERE id = OLD.person_id FOR UPDATE;
    DELETE FROM public.person WHERE id = OLD.person_id
        AND NOT EXISTS (SELECT FROM public.member WHERE person_id = OLD.person_id);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION forget_person FROM PUBLIC;
CREATE TRIGGER forget_person AFTER DELETE ON member FOR EACH ROW EXECUTE FUNCTION forget_person();

-- A session is an operator's or a person's; a person's stands in one tenant at a time.
ALTER TABLE session
    ALTER operator_id DROP NOT NULL,
    ADD person_id uuid REFERENCES person ON DELETE CASCADE,
    ADD tenant_id bigint,
    ADD CONSTRAINT session_of_one CHECK (num_nonnulls(operator_id, person_id) = 1);
CREATE INDEX session_person ON session (person_id);

-- A member's token ends with the membership.
ALTER TABLE api_token
    ADD person_id uuid,
    ADD CONSTRAINT api_token_member FOREIGN KEY (tenant_id, person_id) REFERENCES member ON DELETE CASCADE,
    DROP CONSTRAINT api_token_role_check,
    ADD CONSTRAINT api_token_role_check CHECK (role IN ('viewer', 'editor', 'operator', 'admin'));
CREATE INDEX api_token_member ON api_token (tenant_id, person_id);
