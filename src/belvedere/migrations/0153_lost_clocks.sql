-- When a file measured is told without the rows of a clock that was lost. Of files read before, the report knows: their
-- picture begins after such rows, and there is none where every row is one.

UPDATE upload SET
    first_at = to_timestamp((jsonb_path_query_first(report, '$.channels.*.picture[0][0]'))::bigint),
    last_at = CASE WHEN jsonb_path_exists(report, '$.channels.*.picture[0]') THEN last_at END
WHERE coalesce((report ->> 'nb_lost_clock_rows')::bigint, 0) > 0;
