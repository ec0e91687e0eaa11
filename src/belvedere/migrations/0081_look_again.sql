-- A table whose look failed is looked at again after a delay that grows with each failure. It stands here, not in the
-- job: one store has many tables, and a runner that starts anew must not begin again with the worst of them.

ALTER TABLE dashboard
    -- Looks in a row that failed at the same shape.
    ADD COLUMN failures int NOT NULL DEFAULT 0,
    -- Not before this moment, unless the table changes.
    ADD COLUMN again_at timestamptz;
