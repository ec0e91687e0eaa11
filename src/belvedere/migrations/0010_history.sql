-- How far each file of the history has come, so that a cut tail or a removed file shows. The files are the truth.

CREATE TABLE history_head (
    file text PRIMARY KEY,
    lines bigint NOT NULL CHECK (lines > 0),
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION history_head_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.file = OLD.file AND NEW.lines > OLD.lines THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an anchor of the history only grows; it is never taken back';
END $$;

CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON history_head
    FOR EACH ROW EXECUTE FUNCTION history_head_only_grows();
