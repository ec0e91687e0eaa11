"""The reference pages are what the code says."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATOR = runpy.run_path(str(ROOT / "docs" / "generate.py"))
PAGES: dict[str, str] = GENERATOR["pages"]()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_committed_page_equals_the_generated(name: str) -> None:
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert committed == PAGES[name], f"docs/reference/{name} is old: run `make docs`"


def test_every_setting_command_route_and_job_is_described() -> None:
    from belvedere.api.routes import ROUTES
    from belvedere.cli.main import NOUNS
    from belvedere.kernel.settings import described

    assert all(f"`{row.name}`" in PAGES["settings.md"] for row in described())
    assert all(f"`{route.method} /api/v1{route.path}`" in PAGES["api.md"] for route in ROUTES)
    assert all(f"`{noun}`" in PAGES["cli.md"] for noun in NOUNS)
    assert all(f"`{job.name}`" in PAGES["jobs.md"] for job in GENERATOR["shipped_jobs"]())


def test_every_job_that_an_event_wakes_exists() -> None:
    from belvedere.reactions import REACTIONS

    known = {job.name for job in GENERATOR["shipped_jobs"]()}
    assert {job for woken in REACTIONS.values() for job in woken} <= known
