"""Every page answers, in every state that the services can be brought into without runners."""

import pytest
from tests.unit.web.conftest import ADMIN, Browser

from belvedere.app import Services

PAGES = (
    "/",
    "/first-run",
    "/tenants",
    "/tenants/new",
    "/tenants/new?name=chip-lab",
    "/dashboards",
    "/jobs",
    "/jobs?state=failed",
    "/deliveries",
    "/deliveries?state=sent",
    "/history",
    "/templates",
    "/uploads",
    "/uploads?state=refused",
    "/settings",
    "/settings?q=port",
    "/settings/connections",
    "/settings/operators",
    "/search",
    "/search?q=set",
    "/help",
    "/problems/forbidden",
    "/health",
    "/me",
)
OF_TENANT = (
    "",
    "/dashboards",
    "/stores",
    "/campaigns",
    "/campaigns?state=deleted",
    "/uploads",
    "/uploads?state=waiting&q=x",
    "/deliveries",
    "/credentials",
    "/keys",
    "/history",
    "/settings",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_on_an_empty_installation(dana: Browser, path: str) -> None:
    answer = dana.get(path, Accept="text/html")
    assert answer.status_code == 200, answer.text
    assert "<h1" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", OF_TENANT)
def test_a_page_of_a_tenant_answers_before_its_steps_ran(dana: Browser, services: Services, path: str) -> None:
    services.tenants.create(ADMIN, "alice")
    answer = dana.get(f"/tenants/alice{path}")
    assert answer.status_code == 200, answer.text
    assert "<h1>alice</h1>" in answer.text
