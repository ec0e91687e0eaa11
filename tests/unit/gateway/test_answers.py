"""What comes back: types, times, series, macros; and what is stopped."""

import asyncio
import time
from contextlib import suppress

import psycopg
import pytest
from tests.unit.gateway.conftest import ALICE, BOB, SECRET, rig_of

from belvedere.gateway import macros
from belvedere.kernel.errors import Rejected

RANGE = "time >= 1763625600000ms and time <= 1795305600000ms"
"""2025-11-20 08:00 to 2026-11-22 00:00, as Grafana writes it."""

TEN = 1795168800000
"""2026-11-20 10:00 UTC in milliseconds."""


def test_each_type_becomes_what_grafana_reads(rig):
    answer = rig.ask(ALICE, "SELECT * FROM runs ORDER BY time").json()
    series = answer["results"][0]["series"][0]
    assert series["columns"] == ["time", "design", "amount", "ratio", "slack", "good", "note"]
    assert series["values"] == [
        [TEN, "ibex", 1, 1.5, -0.25, True, "SECRET OF alice"],
        [TEN + 3_600_000, "gcd", None, None, None, False, "it's \"quoted\", and \\ back"],
    ]


def test_a_row_without_a_time_stays_a_row_of_a_table(rig):
    text = f"/* table {RANGE} */ SELECT time, design, amount FROM runs ORDER BY time"
    series = rig.ask(ALICE, text).json()["results"][0]["series"][0]
    assert series["columns"] == ["Time", "design", "amount"]
    assert series["values"][0] == ["2026-11-20T10:00:00+00:00", "ibex", 1]
    assert series["values"][2] == [None, "aes", 9007199254740993]


def test_the_time_goes_first_and_what_is_only_called_time_gets_another_name(rig):
    answer = rig.ask(ALICE, "SELECT 1 AS x, '2026-11-20 10:00'::timestamp AS time, 2 AS \"Time\"").json()
    series = answer["results"][0]["series"][0]
    assert (series["columns"], series["values"]) == (["time", "x", "Time (value)"], [[TEN, 1, 2]])
    answer = rig.ask(ALICE, "SELECT 'noon' AS time").json()
    assert answer["results"][0]["series"][0]["columns"] == ["time (value)"]


def test_a_text_column_metric_divides_rows_into_series(rig):
    text = (
        "SELECT time, design AS metric, amount, slack FROM runs WHERE time IS NOT NULL UNION ALL "
        "SELECT time + interval '1 day', design, 7, 8 FROM runs WHERE design = 'ibex' ORDER BY 1"
    )
    series = rig.ask(ALICE, text).json()["results"][0]["series"]
    assert [(one["tags"], one["columns"], len(one["values"])) for one in series] == [
        ({"metric": "gcd"}, ["time", "amount", "slack"], 1), ({"metric": "ibex"}, ["time", "amount", "slack"], 2)]
    assert series[1]["values"] == [[TEN, 1, -0.25], [TEN + 86_400_000, 7, 8]]


def test_odd_answers_are_json_all_the_same(rig):
    odd = """
    SELECT ARRAY[1,2] AS a, '{"k": [1]}'::jsonb AS j, '\\xff'::bytea AS b, now()::date AS d, NULL AS n,
      U&'\\0001\\2028' AS u, 1 AS a, interval '1 day' AS i, 1e400 AS big, '-Infinity'::real AS r, 5::oid AS o
    """
    values = rig.values(ALICE, odd)[0]
    assert values[:3] == ["{1,2}", '{"k": [1]}', "\\xff"]
    assert values[4:7] == [None, "\x01\u2028", 1]
    assert values[9] is None
    assert rig.values(ALICE, "SELECT 1 WHERE false") == []
    assert rig.values(ALICE, "VALUES (1), (2)") == [[1], [2]]
    assert rig.values(ALICE, "SELECT FROM runs") == [[], [], []]
    assert rig.values(ALICE, "TABLE runs") != []
    assert rig.values(ALICE, 'WITH x AS (SELECT 5 AS "a%b{}") SELECT * FROM x; -- done') == [[5]]


def test_the_time_filter_is_a_condition_on_the_column_time(rig):
    assert len(rig.values(ALICE, f"SELECT time, amount FROM runs WHERE {RANGE}")) == 2
    early = RANGE.replace("1795305600000", "1795168800001")
    assert rig.values(ALICE, f"SELECT time, design FROM runs WHERE {early}") == [[TEN, "ibex"]]


def test_the_macros_of_postgresql_go_by_the_range_in_the_leading_comment(rig):
    for condition in ("$__timeFilter(time)", "$__timeFilter(runs.time)", "time BETWEEN $__timeFrom() AND $__timeTo()"):
        text = f"/* {RANGE} */ SELECT count(*) FROM runs WHERE {condition}"
        assert rig.values(ALICE, text) == [[2]]
    assert "carries no time range" in rig.problem(rig.ask(ALICE, "SELECT 1 WHERE $__timeFilter(now())"))
    assert "does not know the macro" in rig.problem(rig.ask(ALICE, "SELECT $__timeGroup(time, '5m') FROM runs"))


def test_texts_and_comments_of_a_query_stay_as_they_are(rig):
    kept = [f"'{RANGE}'", f"$a${RANGE} $__x()$a$", f"'it''s {RANGE}'", "'a; b -- c'", f"E'\\'{RANGE}'"]
    assert len(rig.values(ALICE, f"SELECT {', '.join(kept)}")[0]) == 5
    assert rig.values(ALICE, f"SELECT '{RANGE}' -- {RANGE} $__y()") == [[RANGE]]
    assert rig.values(ALICE, f'SELECT "{RANGE[:60]}" FROM (SELECT 3 AS "{RANGE[:60]}") AS x /* {RANGE} */') == [[3]]


@pytest.mark.parametrize("ends", [
    ("-99999999999999", "99999999999999"), ("999999999999999", "-999999999999999"), ("0", "0"),
])
def test_any_range_is_a_moment(ends):
    text, _ = macros.as_postgres(f"/* time >= {ends[0]}ms and time <= {ends[1]}ms */ SELECT $__timeFrom(), $__timeTo()")
    assert text.count("::timestamptz") == 2


def test_a_query_that_is_none_is_told_so(rig):
    for text, said in (("", "empty"), (" ; ", "empty"), ("x" * 1_000_001, "characters"), ("SELECT '\0'", "zero byte")):
        with pytest.raises(Rejected, match=said):
            macros.as_postgres(text)
    assert rig.problem(rig.ask(ALICE, "SELECT nope FROM runs")) == 'column "nope" does not exist'
    assert rig.problem(rig.ask(ALICE, "SELECT (1")) != ""
    assert rig.problem(rig.ask(ALICE, ")")) != ""


@pytest.mark.parametrize("piece", [
    "/*", "$a$ $b$", "$a1$", "'", '"', "; /**/", "--", "$__a(", "E'", "time >= 1ms and ", "(",
])
def test_no_text_takes_long_to_read(piece):
    for text in (piece * (900_000 // len(piece)), " ".join(f"{piece}{n}" for n in range(100_000))[:1_000_000] + " x"):
        began = time.monotonic()
        macros.first_word(text)
        with suppress(Rejected):
            macros.as_postgres(text)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", [
    "DELETE FROM runs", "INSERT INTO runs (amount) VALUES (1)", "DROP TABLE runs", "UPDATE runs SET amount = 1",
    "TRUNCATE runs", "COPY runs TO STDOUT", "COMMIT", "SET search_path = x", "DO $$ BEGIN END $$", "CALL x()",
    "/* select */ DELETE FROM runs", "-- select\nDROP TABLE runs", "DROP MEASUREMENT runs",
    "GRANT ALL ON runs TO public",
])
def test_what_does_not_read_is_refused_and_noted(rig, text):
    answer = rig.ask(ALICE, text)
    assert "Only queries are answered here" in rig.problem(answer)
    assert any("Only queries" in reason for _, reason, _ in rig.refusals())
    assert rig.values(ALICE, "SELECT count(*) FROM runs") == [[3]]


@pytest.mark.parametrize("text", [
    "SELECT 1; DROP TABLE runs", "SELECT 1; SELECT 2", "WITH x AS (DELETE FROM runs RETURNING *) SELECT * FROM x",
    "SELECT 1) AS answer; COMMIT; DELETE FROM runs; SELECT (1", "SELECT * INTO copied FROM runs",
    "SELECT * FROM runs FOR UPDATE", "SELECT set_config('transaction_read_only', 'off', true), lo_create(0)",
    "SELECT pg_read_file('/etc/passwd')", "SELECT * FROM pg_authid", "SELECT pg_sleep(0), dblink_connect('x')",
    "EXPLAIN SELECT 1", "SELECT 1) AS a, (INSERT INTO runs DEFAULT VALUES RETURNING 1", "SELECT nextval('x')",
])
def test_what_only_looks_like_reading_changes_nothing(rig, text):
    assert rig.problem(rig.ask(ALICE, text)) != ""
    assert rig.values(ALICE, "SELECT count(*) FROM runs") == [[3]]


def test_nothing_that_one_query_sets_is_left_for_the_next(rig):
    rig.ask(ALICE, "SELECT set_config('search_path', 'nowhere', false), set_config('TimeZone', 'Asia/Tokyo', false)")
    assert rig.values(ALICE, "SELECT current_setting('TimeZone'), count(*) FROM runs") == [["UTC", 3]]


def test_anothers_database_is_out_of_reach_from_within(rig):
    role = rig.values(ALICE, "SELECT current_user")[0][0]
    assert rig.values(BOB, "SELECT current_user")[0][0] != role
    for text in ('SELECT * FROM "alice-QOR".public.runs', f"SELECT set_config('role', '{role}', false)",
                 f"SELECT set_config('session_authorization', '{role}', false)"):
        assert rig.problem(rig.ask(BOB, text)) != ""
    assert ["SECRET OF alice"] not in rig.values(BOB, "SELECT note FROM runs")


def test_too_many_rows_or_bytes_end_in_an_error_and_no_half_answer(rig):
    few = rig_of(rig.world, rows=1000)
    answer = few.ask(ALICE, "SELECT n FROM generate_series(1, 100000) AS n")
    assert "more than 1,000 rows" in few.problem(answer)
    assert len(answer.json()["results"][0]["series"][0]["values"]) < 3000
    few = rig_of(rig.world, bytes=100_000)
    answer = few.ask(ALICE, "SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
    assert "more than 100,000 bytes" in few.problem(answer)
    assert len(rig.values(ALICE, "SELECT repeat('x', 1000000)")[0][0]) == 65_536
    assert "columns" in rig.problem(rig.ask(ALICE, f"SELECT {', '.join(['1'] * 501)}"))


def test_a_query_that_takes_too_long_is_stopped(rig):
    began = time.monotonic()
    assert "took too long" in rig.problem(rig.ask(ALICE, "SELECT pg_sleep(60)"))
    assert time.monotonic() - began < 10


def test_an_error_after_rows_were_sent_ends_the_answer_with_it(rig):
    answer = rig.ask(ALICE, "SELECT 1 / (5000 - n) AS x, repeat('x', 500) FROM generate_series(1, 10000) AS n")
    assert rig.problem(answer) == "division by zero"
    assert len(answer.json()["results"][0]["series"][0]["values"]) > 10


def test_health_of_the_data_source_is_a_count_of_tables(rig):
    assert rig.problem(rig.ask(ALICE, "SHOW MEASUREMENTS")) == ""
    assert rig.ask(ALICE, 'SHOW RETENTION POLICIES on "QOR"').json() == {"results": [{"statement_id": 0}]}


def stream(rig, text, take):
    """Serve one query whose reader takes `take(piece)` seconds of patience; return the pieces."""
    pieces = []
    headers = {b"x-belvedere-gateway": SECRET.encode(), b"x-grafana-id": rig.mint.token(ALICE).encode()}

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.body":
            pieces.append(len(message["body"]))
            await take(message)

    scope = {"type": "http", "method": "GET", "path": "/query", "headers": list(headers.items()), "client": ("t", 1),
             "query_string": b"db=QOR&q=" + "".join(f"%{byte:02x}" for byte in text.encode()).encode()}
    asyncio.run(rig.application(scope, receive, send))
    return pieces


def test_an_answer_is_made_only_as_fast_as_it_is_taken(rig):
    async def at_once(_message):
        await asyncio.sleep(0)

    pieces = stream(rig, "SELECT repeat('x', 60000) FROM generate_series(1, 600)", at_once)
    assert sum(pieces) > 30_000_000
    assert max(pieces) < 20_000_000


def test_who_goes_away_leaves_no_session_behind(rig):
    async def gone(message):
        if sum(1 for _ in message["body"][:1]):
            raise ConnectionResetError

    for _ in range(6):  # more than one store has sessions
        with pytest.raises(ConnectionResetError):
            stream(rig, "SELECT repeat('x', 60000) FROM generate_series(1, 5000)", gone)
    assert rig.values(ALICE, "SELECT 1") == [[1]]


def test_a_tenants_many_queries_wait_for_their_turn_and_no_other_tenant_does(rig):
    made = rig_of(rig.world, at_once=1)
    ended = []

    def asleep(what="pid"):
        with psycopg.connect(rig.world.cluster.superuser, autocommit=True) as connection:
            while not (found := connection.execute(
                f"SELECT {what} FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            ).fetchall()):
                pass
            return found

    async def all_at_once():
        async def one(subject, text, name):
            async def receive():
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(_message):
                pass

            token = made.mint.token(subject).encode()
            scope = {"type": "http", "method": "GET", "path": "/query", "client": ("t", 1),
                     "headers": [(b"x-belvedere-gateway", SECRET.encode()), (b"x-grafana-id", token)],
                     "query_string": f"db=QOR&q={text}".encode()}
            await made.application(scope, receive, send)
            ended.append(name)

        first = asyncio.create_task(one(ALICE, "SELECT+pg_sleep(60)", "alice 1"))
        await asyncio.wait_for(asyncio.to_thread(asleep), 20)
        second = asyncio.create_task(one(ALICE, "SELECT+1", "alice 2"))
        await one(BOB, "SELECT+1", "bob")
        await asyncio.to_thread(asleep, "pg_cancel_backend(pid)")
        await asyncio.gather(first, second)

    asyncio.run(all_at_once())
    assert ended[0] == "bob"
    assert ended.index("alice 1") < ended.index("alice 2")
