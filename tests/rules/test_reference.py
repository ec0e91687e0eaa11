"""The reference pages are what the code says."""

import re
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


def test_every_page_that_a_text_names_is_there() -> None:
    texts = [path for folder in ("src", "tests", "docs") for path in (ROOT / folder).rglob("*.*")
             if path.suffix in {".py", ".md", ".html", ".yaml"}]
    named = {(path, Path(ROOT, found)) for path in [*texts, *ROOT.glob("*.md")]
             for found in re.findall(r"docs/[a-z-]+/[a-z0-9-]+\.md", path.read_text(encoding="utf-8"))}
    linked = {(path, path.parent / found) for path in (ROOT / "docs").rglob("*.md")
              for found in re.findall(r"\]\(([\w./-]+\.md)", path.read_text(encoding="utf-8"))}
    assert {(path, page) for path, page in named | linked if not page.is_file()} == set()
