-- Who may send files by SFTP, with what, and who did. The same users are made on an SFTPGo where there is one.

CREATE TABLE sftp_user (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 100),
    -- The name without case: it signs in, so it is one in all tenants.
    name_key text NOT NULL UNIQUE,
    -- argon2id (made here) or bcrypt (taken over), as SFTPGo reads it too; none: keys only.
    password_hash text,
    -- Where in the tenant's folder its home is, with slashes and none at the ends; empty: the whole of it.
    folder text NOT NULL DEFAULT '',
    permissions text[] NOT NULL,
    -- 0: no limit.
    quota_bytes bigint NOT NULL DEFAULT 0 CHECK (quota_bytes >= 0),
    quota_files bigint NOT NULL DEFAULT 0 CHECK (quota_files >= 0),
    -- Who made it first: we, or an SFTPGo from which it was taken over.
    source text NOT NULL DEFAULT 'embedded' CHECK (source IN ('embedded', 'sftpgo')),
    disabled_at timestamptz,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    seen_at timestamptz,
    UNIQUE (tenant_id, id)
);
SELECT fence_tenant_table('sftp_user');

CREATE TABLE sftp_key (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL,
    user_id uuid NOT NULL,
    -- As OpenSSH writes it: the kind, a blank, the key in base64; nothing else.
    line text NOT NULL,
    bits int NOT NULL,
    fingerprint text NOT NULL,
    comment text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    UNIQUE (user_id, fingerprint),
    FOREIGN KEY (tenant_id, user_id) REFERENCES sftp_user (tenant_id, id) ON DELETE CASCADE
);
SELECT fence_tenant_table('sftp_key');

-- One row a connection that signed in. It outlives its user, for the page of who sent what.
CREATE TABLE sftp_session (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL REFERENCES tenant (serial) ON DELETE CASCADE,
    user_id uuid,
    user_name text NOT NULL,
    origin text NOT NULL,
    client text NOT NULL,
    method text NOT NULL,
    -- The host and process that serves it.
    server text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'ended', 'killed', 'idle', 'lost')),
    began_at timestamptz NOT NULL,
    -- Its server said so last; one that says nothing for a while is lost.
    seen_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- Somebody asked for its end.
    end_asked_by text,
    files_up bigint NOT NULL DEFAULT 0,
    files_down bigint NOT NULL DEFAULT 0,
    bytes_up bigint NOT NULL DEFAULT 0,
    bytes_down bigint NOT NULL DEFAULT 0,
    error text NOT NULL DEFAULT ''
);
CREATE INDEX sftp_session_tenant ON sftp_session (tenant_id, began_at DESC);
CREATE INDEX sftp_session_began ON sftp_session (began_at DESC);
CREATE INDEX sftp_session_open ON sftp_session (server) WHERE state = 'open';
SELECT fence_tenant_table('sftp_session');
