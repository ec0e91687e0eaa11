-- Who may come in: operators, their sessions, API tokens, the brake on guessing, and flash messages.
-- Nothing here lets anybody sign in who reads it: passwords are argon2id, cookies and tokens are hashes.

CREATE TABLE operator (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    email text,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    password_hash text NOT NULL,
    password_set_at timestamptz NOT NULL,
    must_change_password boolean NOT NULL DEFAULT false,
    disabled_at timestamptz,
    last_sign_in_at timestamptz,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL
);
CREATE UNIQUE INDEX operator_name ON operator (lower(name));
CREATE UNIQUE INDEX operator_email ON operator (lower(email));

CREATE TABLE session (
    id uuid PRIMARY KEY,
    cookie_hash bytea NOT NULL UNIQUE,
    operator_id uuid NOT NULL REFERENCES operator ON DELETE CASCADE,
    origin text NOT NULL,
    agent text NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_operator ON session (operator_id);
CREATE INDEX session_expires ON session (expires_at);

-- One row per pair of name and origin, per name and per origin that failed lately; names are hashed, because
-- people type passwords into the wrong field.
CREATE TABLE sign_in_throttle (
    key text PRIMARY KEY,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL
);
CREATE INDEX sign_in_throttle_last ON sign_in_throttle (last_at);

CREATE TABLE api_token (
    id uuid PRIMARY KEY,
    prefix text NOT NULL UNIQUE,
    secret_hash bytea NOT NULL,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    tenant_id bigint,
    -- The person it acts for; none when it was made on the host. It never may more than this person does.
    operator_id uuid REFERENCES operator ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    last_origin text,
    revoked_at timestamptz
);
CREATE INDEX api_token_tenant ON api_token (tenant_id);
CREATE INDEX api_token_operator ON api_token (operator_id);
SELECT fence_tenant_table('api_token');

CREATE TABLE flash (
    id uuid PRIMARY KEY,
    level text NOT NULL CHECK (level IN ('info', 'good', 'warn', 'bad')),
    body text NOT NULL CHECK (length(body) BETWEEN 1 AND 200),
    link text,
    audience text NOT NULL,
    tenant_id bigint,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz
);
CREATE INDEX flash_expires ON flash (expires_at);
SELECT fence_tenant_table('flash');
DO $$
BEGIN
    EXECUTE format('CREATE POLICY for_all ON flash FOR SELECT TO %I USING (audience = ''all'')',
                   (SELECT member_role FROM installation));
END $$;

CREATE TABLE flash_dismissal (
    flash_id uuid NOT NULL REFERENCES flash ON DELETE CASCADE,
    person text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (flash_id, person)
);
SELECT open_to_members('flash_dismissal', 'SELECT, INSERT');
