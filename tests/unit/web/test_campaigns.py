"""Campaigns and uploads on pages: what is said, who may, and what is drawn."""

import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tests.unit.web.conftest import ADMIN, Browser

from belvedere.app import Services
from belvedere.intake.model import Happening, Via
from belvedere.intake.uploads.measured import days_of, merged, spans_of
from belvedere.web.strips import sketch, strips
from belvedere.web.upload_words import head_lines, left_out, measured

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def upload(services: Services) -> UUID:
    """A file of Alice's in the campaign camp_base that nobody reads, with a name and a content to be shown as text."""
    serial = services.tenants.create(ADMIN, "alice")[0].serial
    folder = services.intake.root.path / "alice" / "camp_base"
    folder.mkdir(parents=True)
    (folder / "<b>.bin").write_bytes(b"<script>alert(1)</script>\x1b[31m\xff\nsecond")
    services.intake.notice("alice", "camp_base/<b>.bin", Happening.CLOSED, via=Via.SFTP)
    services.intake.take(str(serial))
    return services.uploads.list(ADMIN).items[0].id


def test_a_file_that_nobody_reads_says_so_and_shows_its_head_as_text(
    services: Services, dana: Browser, vera: Browser, upload: UUID
) -> None:
    campaign = services.campaigns.list(ADMIN).items[0].id
    page = dana.get(f"/tenants/alice/uploads/{upload}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "<b>.bin" not in page
    assert "\x1b" not in page
    assert "Try again" in page
    assert "Try again" not in vera.get(f"/tenants/alice/uploads/{upload}").text
    own = f"/tenants/alice/campaigns/{campaign}"
    for path in ("/uploads", "/uploads?state=left", "/tenants/alice/uploads?q=camp", own):
        answer = dana.get(path)
        assert "&lt;b&gt;.bin" in answer.text, path
        assert "not read" in answer.text
    assert "No upload matches" in dana.get("/uploads?state=parsed").text
    assert dana.get(f"/tenants/alice/uploads/{upload}/report").json["state"] == "left"
    assert dana.post(f"/tenants/alice/uploads/{upload}/again").status_code == 303
    assert services.uploads.get(ADMIN, upload).state == "received"
    assert "<h1>camp_base</h1>" in dana.part(f"/tenants/alice/campaigns/{campaign}", "campaign-head").text


def test_a_campaign_is_renamed_and_deleted_when_its_name_is_typed(
    services: Services, dana: Browser, upload: UUID
) -> None:
    campaign = services.campaigns.list(ADMIN).items[0].id
    address = f"/tenants/alice/campaigns/{campaign}"
    wrong = dana.post(f"{address}/rename", name="a/b")
    assert (wrong.status_code, 'aria-invalid="true"' in wrong.text) == (400, True)
    assert "It is called winter" in dana.post(f"{address}/rename", name="winter", follow=True).text
    assert (services.intake.root.path / "alice" / "winter" / "<b>.bin").exists()
    mistyped = dana.post(f"{address}/delete", confirm="Winter")
    assert (mistyped.status_code, "Type the campaign" in mistyped.text) == (400, True)
    assert "Its data is kept" in dana.post(f"{address}/delete", confirm="winter", follow=True).text
    assert "No campaign yet" in dana.get("/tenants/alice/campaigns").text
    assert "winter" in dana.get("/tenants/alice/campaigns?state=deleted").text
    assert services.uploads.get(ADMIN, upload).name == "<b>.bin"


def test_a_form_without_scripts_sends_files(services: Services, dana: Browser) -> None:
    services.tenants.create(ADMIN, "alice")
    form = {"csrf": dana.csrf, "campaign": "spring", "device": "02001084", "file": (io.BytesIO(b"x"), "a.tsv")}
    assert dana.client.post("/tenants/alice/campaigns/send", data=form).status_code == 303
    assert (services.intake.root.path / "alice" / "spring" / "02001084" / "a.tsv").read_bytes() == b"x"
    nothing = dana.post("/tenants/alice/campaigns/send", campaign="spring")
    assert (nothing.status_code, "Choose at least one file" in nothing.text) == (400, True)
    hidden = {**form, "campaign": "..", "file": (io.BytesIO(b"x"), "b.tsv")}
    assert "without a slash" in dana.client.post("/tenants/alice/campaigns/send", data=hidden).text


def test_a_file_on_its_way_shows_and_is_dropped(services: Services, dana: Browser, vera: Browser) -> None:
    services.tenants.create(ADMIN, "alice")
    begun = services.resumable.begin(
        ADMIN, tenant="alice", campaign="spring", device="02001084", name="<b>.tsv", size=10
    )
    page = dana.get("/tenants/alice/uploads").text
    assert "On their way" in page
    assert "&lt;b&gt;.tsv" in page
    assert "Drop<span" not in vera.get("/tenants/alice/uploads").text
    assert vera.post(f"/tenants/alice/uploads/{begun.id}/cancel").status_code == 403
    assert "is dropped" in dana.post(f"/tenants/alice/uploads/{begun.id}/cancel", follow=True).text
    assert "On their way" not in dana.get("/tenants/alice/uploads").text


def test_measured_time_leaves_holes_out() -> None:
    spans = spans_of(NOON, NOON + 50 * HOUR, [(NOON + HOUR, NOON + 40 * HOUR), (NOON - HOUR, NOON)])
    assert spans == [(NOON, NOON + HOUR), (NOON + 40 * HOUR, NOON + 50 * HOUR)]
    assert merged([*spans, (NOON + HOUR, NOON + 2 * HOUR)])[0] == (NOON, NOON + 2 * HOUR)
    assert days_of(spans) == 2
    wide, narrow = strips(spans)
    assert [round(x) for x, _ in wide.bars] == [0, 784]
    assert all(0 <= x <= x + length <= wide.width + 2 for x, length in wide.bars)
    assert len(narrow.ticks) <= len(wide.ticks) <= 8
    years = strips([(NOON, NOON + HOUR), (NOON + 24 * 900 * HOUR, NOON + 24 * 901 * HOUR)])
    assert all(len(tick.label) == 7 for tick in years[0].ticks)
    assert strips([]) == []


def test_a_sketch_breaks_where_nothing_was_measured() -> None:
    drawn = sketch([[0, 1.0, 2.0], [10, 1.0, 3.0], [100, 2.0, 2.0]], 10)
    assert drawn is not None
    assert len(drawn.paths) == 2
    assert sketch([], 10) is None
    assert sketch([[0, 5.0, 5.0]], 10) is not None


def test_reports_of_both_kinds_say_what_was_left_out() -> None:
    meter = left_out({"skipped_rows": [{"reason": "cut off", "total": 30, "first_lines": [7, 8]}]})
    assert [(one.reason, one.total, one.lines, one.more) for one in meter] == [("cut off", 30, (7, 8), True)]
    table = left_out({"skipped_rows": [{"line": 3, "reason": "too short", "text": "x"}], "reasons": {"too short": 1}})
    assert [(one.reason, one.total, one.lines, one.more) for one in table] == [("too short", 1, (3,), False)]
    assert head_lines(b"a\tb\r\n\x00\x1b[0m") == ["a\tb", "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[0m"]
    assert measured(NOON, NOON + HOUR) == "2026-01-05 12:00 to 13:00"
