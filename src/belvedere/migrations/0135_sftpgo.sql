-- How an SFTPGo's users are against ours: when they were looked at, and what differed.

CREATE TABLE sftpgo_look (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    -- The last good look at all users; none before the first.
    looked_at timestamptz,
    problem text NOT NULL DEFAULT '',
    problem_type text NOT NULL DEFAULT '',
    hint text NOT NULL DEFAULT ''
);

CREATE TABLE sftpgo_difference (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- None: of a tenant that is gone.
    tenant_id bigint REFERENCES tenant (serial) ON DELETE CASCADE,
    name text NOT NULL,
    sign text NOT NULL CHECK (sign IN ('+', '~', '-', '=')),
    title text NOT NULL,
    changes jsonb NOT NULL DEFAULT '[]',
    found_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE UNIQUE INDEX sftpgo_difference_open ON sftpgo_difference (name) WHERE settled_at IS NULL;
CREATE INDEX sftpgo_difference_settled ON sftpgo_difference (settled_at DESC) WHERE settled_at IS NOT NULL;
SELECT fence_tenant_table('sftpgo_difference');
