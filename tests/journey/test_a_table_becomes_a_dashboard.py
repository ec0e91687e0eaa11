"""The first journey, over the doors that users have: REST and plain SQL."""

import io
import time

import httpx2
import psycopg
from PIL import Image
from tests.journey.conftest import Installation, wait_for

TABLE = """CREATE TABLE "gcd_timing" (startpoint text, endpoint text, path_group text, clock text, corner text,
    slack double precision, arrival double precision, required double precision, levels int)"""


def test_a_table_becomes_a_dashboard_a_preview_and_a_message(installation: Installation) -> None:
    with installation.client(installation.token()) as api:
        _journey(api)


def _journey(api: httpx2.Client) -> None:
    made = api.post("/api/v1/users", json={"username": "dana"}, headers={"Prefer": "wait=60"})
    assert made.status_code == 201, made.text
    user = made.json()["user"]
    assert len(user["apiKey"]) == 40

    def value(key: str) -> str:
        answer = api.post(f"/api/v1/users/{user['id']}/credentials/{key}/reveal", json={"reason": "journey test"})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["key_value"])

    started = time.monotonic()
    with psycopg.connect(
        host=value("DB_HOST"),
        port=value("DB_PORT"),
        user=value("DB_USER"),
        password=value("DB_PASS"),
        dbname=value("DB_NAME_TIMING_REPORT"),
        autocommit=True,
    ) as writer:
        assert writer.info.dbname == "dana-timing_report"
        writer.execute(TABLE)
        with writer.cursor() as cursor, cursor.copy("COPY gcd_timing FROM STDIN") as copy:
            for row in range(500):
                copy.write_row(
                    (f"r{row}/CK", f"r{row}/D", "reg2reg", "clk", "slow", (row - 40) / 100, 1.0, 1.0, row % 30)
                )
        started = time.monotonic()

    def listed() -> list[dict[str, object]]:
        return [
            row for row in api.get("/api/v1/dashboards", params={"user": "dana"}).json() if row["table"] == "gcd_timing"
        ]

    [dashboard] = wait_for(listed, 20, "the dashboard is listed")
    assert time.monotonic() - started < 20
    assert dashboard["family"] == "timing paths"

    def captured() -> bytes | None:
        [row] = listed()
        if not row["preview_url"]:
            return None
        picture = api.get(str(row["preview_url"]))
        return picture.content if picture.status_code == 200 else None

    picture = Image.open(io.BytesIO(wait_for(captured, 90, "the preview is captured")))
    assert getattr(picture, "n_frames", 1) > 1
    assert picture.size == (1920, 1080)

    def delivered() -> list[dict[str, object]]:
        rows = api.get("/api/v1/deliveries", params={"user": "dana"}).json()
        return [row for row in rows if "gcd_timing" in str(row) and row["state"] == "sent"]

    assert len(wait_for(delivered, 30, "the outbox names it")) == 1
