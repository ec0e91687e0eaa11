-- The installation itself, and the one way in which a table of tenants' rows is fenced.

CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- The role of members' and tenant tokens' requests: no login, bound by row security.
    member_role text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Roles belong to the server and not to the database, so the name carries the database's own:
-- two installations on one server never share a role.
DO $$
DECLARE
    role_name text := 'belvedere_member_' || substr(md5(current_database() || oid::text), 1, 12)
        FROM pg_database WHERE datname = current_database();
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', role_name);
    END IF;
    EXECUTE format('GRANT %I TO CURRENT_USER', role_name);
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role_name);
    INSERT INTO installation (member_role) VALUES (role_name);
END $$;

-- Fence a table whose rows carry `tenant_id`: the member role sees and changes the rows of the tenant that
-- its transaction is set to, and no row when none is set.
CREATE FUNCTION fence_tenant_table(fenced regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    role_name text := member_role FROM installation;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', fenced);
    EXECUTE format(
        'CREATE POLICY own_tenant ON %s TO %I '
        'USING (tenant_id = (SELECT nullif(current_setting(''belvedere.tenant'', true), '''')::bigint)) '
        'WITH CHECK (tenant_id = (SELECT nullif(current_setting(''belvedere.tenant'', true), '''')::bigint))',
        fenced, role_name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', fenced, role_name);
END $$;

-- Grant the member role what it may read besides: tables without tenants' rows, named one by one.
CREATE FUNCTION open_to_members(opened regclass, rights text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT %s ON %s TO %I', rights, opened, (SELECT member_role FROM installation));
END $$;
