"""Dashboards of Grafana come in as templates through the page, the API and the command line, and leave again."""

import io
import json

import pytest
from tests.unit.web.conftest import ADMIN, Browser

from belvedere.app import Services

SOURCE = {"type": "postgres", "uid": "P1"}
MINE = {"title": "Timing of ours", "panels": [
    {"id": 1, "type": "table", "title": "T", "datasource": SOURCE, "targets": [{"refId": "A", "rawSql": "SELECT 1"}]}]}


def upload(browser: Browser, content: bytes, **form: str):
    file = (io.BytesIO(content), "timing.json")
    return browser.post("/templates", file=file, **form)  # type: ignore[arg-type]


def test_an_operator_brings_a_dashboard_and_takes_it_away(dana: Browser, vera: Browser, services: Services) -> None:
    answer = upload(dana, json.dumps(MINE).encode(), stands_for="timing-paths", name="")
    assert answer.status_code in {302, 303}
    page = dana.get("/templates").text
    assert "timing-of-ours" in page
    assert "all that <code>timing-paths</code> recognises" in page
    assert "Dashboards of yours" not in vera.get("/templates").text
    assert upload(vera, json.dumps(MINE).encode()).status_code == 403
    assert dana.post("/templates/timing-of-ours/remove").status_code in {302, 303}
    assert services.templates.list(ADMIN) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"<html>", "This is no JSON"), (b"{}", "no title"), (b"", "no JSON")],
)
def test_what_is_no_template_is_refused_in_its_field(dana: Browser, content: bytes, said: str) -> None:
    answer = upload(dana, content, name="kept")
    assert answer.status_code == 400
    assert said in answer.text
    assert 'value="kept"' in answer.text
