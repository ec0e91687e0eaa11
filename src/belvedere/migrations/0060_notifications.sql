-- Messages about dashboards, one row a channel, and what each of their steps led to.

CREATE TABLE delivery (
    id uuid PRIMARY KEY,
    tenant_id bigint NOT NULL,
    dashboard_id uuid NOT NULL,
    -- `new` for the one message that tells of a new dashboard; an id of its own for each one that a person sends again.
    occasion text NOT NULL,
    channel_kind text NOT NULL CHECK (channel_kind IN ('outbox', 'slack')),
    channel text NOT NULL,
    title text NOT NULL,
    url text NOT NULL,
    creator text NOT NULL,
    -- Relative to the folder of the pictures.
    gif_path text,
    png_path text,
    -- Why there is no moving picture.
    reason text,
    state text NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    -- Also the fence: a runner ends a try only while its number still stands here.
    attempts integer NOT NULL DEFAULT 0,
    -- How many of them the channel only asked to wait for; they count for nothing.
    held integer NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    error text,
    hint text,
    code text,
    -- What went out instead of the picture, and why.
    fallback text,
    -- What nobody can know: the connection broke after the other side may have taken it.
    doubt text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    UNIQUE (dashboard_id, channel_kind, occasion)
);
CREATE INDEX delivery_of_tenant ON delivery (tenant_id, id DESC);
CREATE INDEX delivery_open ON delivery (next_try_at) WHERE state = 'waiting';
SELECT fence_tenant_table('delivery');

-- The ledger: a step that is done is never done again, a step that was begun and has no end is in doubt.
CREATE TABLE delivery_step (
    delivery_id uuid NOT NULL REFERENCES delivery ON DELETE CASCADE,
    tenant_id bigint NOT NULL,
    step text NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    begun_at timestamptz,
    done_at timestamptz,
    result jsonb,
    PRIMARY KEY (delivery_id, step)
);
SELECT fence_tenant_table('delivery_step');
