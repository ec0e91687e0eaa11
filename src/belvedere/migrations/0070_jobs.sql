-- The queue's additions to Procrastinate's schema: kinds of jobs, what happened to a job, the one way in.

-- What the runners know how to do, written by each runner as it starts. Doors read it; `enqueue_job` takes
-- priority and queue from it, so that a room can ask for a job without knowing either.
CREATE TABLE job_kind (
    name text PRIMARY KEY,
    help text NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    queue text NOT NULL DEFAULT 'default',
    every_s double precision,
    -- When a timer last asked for it; the compare-and-set by which many runners start one.
    timed_at timestamptz
);

-- What a job's row of Procrastinate's cannot say.
CREATE TABLE job_run (
    job_id bigint PRIMARY KEY REFERENCES procrastinate_jobs ON DELETE CASCADE,
    runner text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- Unexpected errors in a row; `Later` does not count.
    failures integer NOT NULL DEFAULT 0,
    -- How often its runner died under it, in a row.
    rescues integer NOT NULL DEFAULT 0,
    error text,
    code text
);
CREATE INDEX job_run_ended ON job_run (ended_at);
CREATE INDEX job_lock ON procrastinate_jobs (lock);

-- Make sure that a job runs for a key after this commit.
--
-- A waiting job with the same name and key is brought forward instead of doubled. One that is running now
-- does not count: what it has read may be old, so another run follows it. The advisory lock puts all who
-- ask for, or give back, the same job in one order; without it two of them could each see none waiting.
-- SECURITY DEFINER so that requests under the member role can ask for work without rights on the queue.
CREATE FUNCTION enqueue_job(_name text, _key text, _in_s double precision) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    _lock text := _name || ':' || _key;
    _due timestamptz := CASE WHEN _in_s > 0 THEN clock_timestamp() + make_interval(secs => _in_s) END;
    _id bigint;
BEGIN
    IF _name !~ '^[a-z]+(\.[a-z]+(-[a-z]+)*)+$' OR length(_name) > 100 OR length(_key) > 200 THEN
        RAISE EXCEPTION 'not a job: % for %', _name, _key USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(1651271778, hashtext(_lock));
    UPDATE public.procrastinate_jobs
        SET scheduled_at = CASE WHEN _due IS NULL OR scheduled_at IS NULL THEN NULL ELSE least(scheduled_at, _due) END
        WHERE lock = _lock AND status = 'todo'
        RETURNING id INTO _id;
    IF _id IS NULL THEN
        INSERT INTO public.procrastinate_jobs (queue_name, task_name, priority, lock, args, scheduled_at)
        SELECT coalesce(kind.queue, 'default'), _name, coalesce(kind.priority, 0), _lock,
               jsonb_build_object('key', _key), _due
        FROM (SELECT) AS one LEFT JOIN public.job_kind AS kind ON kind.name = _name
        RETURNING id INTO _id;
    ELSIF _due IS NULL THEN
        -- An insert wakes the runners by a trigger of Procrastinate's; an update does not.
        PERFORM pg_notify('procrastinate_any_queue_v1', format('{"type":"job_inserted","job_id":%s}', _id));
    END IF;
    PERFORM pg_notify('belvedere', 'jobs');
    RETURN _id;
END $$;
REVOKE ALL ON FUNCTION enqueue_job FROM PUBLIC;
DO $$ BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION enqueue_job TO %I', (SELECT member_role FROM installation));
END $$;
