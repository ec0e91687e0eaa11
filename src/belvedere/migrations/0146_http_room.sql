-- What a tenant's folder holds, counted now and then, so that a file begun over HTTP needs no walk through the folder.
-- On top of what was counted in a round comes every file on its way, and those put in their place since it began.

CREATE TABLE http_room (
    tenant_id bigint PRIMARY KEY REFERENCES tenant (serial) ON DELETE CASCADE,
    -- The newest round that began; files put in their place carry it.
    round bigint NOT NULL DEFAULT 0,
    -- The round that the figures are of.
    counted_round bigint NOT NULL DEFAULT 0,
    held_bytes bigint NOT NULL DEFAULT 0,
    held_files bigint NOT NULL DEFAULT 0,
    counted_at timestamptz,
    -- Until when the figures are taken as they are.
    good_until timestamptz,
    -- Until when somebody is counting, so that nobody else does.
    counting_until timestamptz
);
SELECT fence_tenant_table('http_room');

ALTER TABLE http_upload ADD COLUMN done_round bigint NOT NULL DEFAULT 0;
CREATE INDEX http_upload_done ON http_upload (tenant_id, done_round) WHERE done_at IS NOT NULL;
