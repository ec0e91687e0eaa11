"""Dies at every failpoint of the source in turn, starts again, and looks whether everything is there, once.

A room registers a scenario: a file in `scenarios/` with `COVERS` (failpoints on its way), `act(world)` (bring about the
end state from wherever a crash left it) and `check(world)`. Rooms whose failpoints need a world of their own (a chat
server, several runners) die in their own unit tests, which name the failpoint.
`make test-crash` dies at all of them; `make test` at a sample.
"""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from belvedere.kernel.failpoints import EXIT_CODE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAMPLE = {
    "kernel.migrate.before-commit", "dashboards.publish.before-commit", "stores.remove.before-drop-login",
    "intake.move.renamed",
}
LONGEST_S = 150


ELSEWHERE = {
    # Put together there from the number of the step.
    "notifications.slack.step-": "tests/unit/notifications/test_deliveries.py",
}


def constants(scenario: str) -> dict[str, Any]:
    """Read the constants of a scenario without importing it."""
    tree = ast.parse((HERE / "scenarios" / f"{scenario}.py").read_text())
    return {
        node.targets[0].id: ast.literal_eval(node.value) for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def scenarios() -> dict[str, tuple[str, ...]]:
    """Return each scenario with the failpoints on its way."""
    names = sorted(path.stem for path in (HERE / "scenarios").glob("*.py"))
    return {name: constants(name)["COVERS"] for name in names}


def failpoints() -> set[str]:
    """Return every failpoint of the source."""
    calls = re.compile(r'failpoint\(\s*"([^"]+)"\s*\)')
    sources = (ROOT / "src").rglob("*.py")
    return {name for path in sources for name in calls.findall(path.read_text())} - {"name"}


PLACES = [
    pytest.param(scenario, name, id=name)
    for scenario, covers in scenarios().items() for name in covers
    if os.environ.get("BELVEDERE_CRASH") == "all" or name in SAMPLE
]


@pytest.fixture
def play(cluster: Any) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Run a scenario's verb in a process of its own, on a server and in a home of this test alone."""
    folder = Path(tempfile.mkdtemp(prefix="belvedere-crash-", dir=cluster.folder.parent))
    folder.chmod(0o755)
    server = None
    try:
        (folder / "server").mkdir(mode=0o755)
        server = type(cluster)(folder / "server")
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("BELVEDERE_", "MASTER_DB_"))},
            "BELVEDERE_HOME": str(folder / "home"), "BELVEDERE_PREVIEWS": "0", "SAMPLE": "0",
            "BELVEDERE_DATABASE_URL": server.superuser.removesuffix("/postgres") + "/control",
            "BELVEDERE_WATCH_INTERVAL_S": "0.1",
        }

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            environment["PORT"] = str(probe.getsockname()[1])

        def run(scenario: str, verb: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
            given = constants(scenario).get("ENVIRONMENT", {})
            return subprocess.run(
                [sys.executable, HERE / "process.py", scenario, verb], cwd=folder, capture_output=True, text=True,
                check=False, timeout=LONGEST_S,
                env={**environment, **given, **({"BELVEDERE_FAILPOINT": failpoint} if failpoint else {})},
            )

        yield run
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)


@pytest.mark.crash
@pytest.mark.timeout(4 * LONGEST_S)
@pytest.mark.parametrize(("scenario", "failpoint"), PLACES)
def test_a_crash_here_loses_nothing_and_doubles_nothing(play: Any, scenario: str, failpoint: str) -> None:
    needed = constants(scenario).get("NEEDS")
    if needed and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not on this machine")
    died = play(scenario, "act", failpoint)
    assert died.returncode == EXIT_CODE, f"{failpoint} is not on the way of {scenario}\n{died.stderr[-3000:]}"
    for verb in ("act", "act", "check"):
        done = play(scenario, verb)
        assert done.returncode == 0, f"after dying at {failpoint}, {verb}:\n{done.stderr[-3000:]}"


def test_every_failpoint_is_died_at_somewhere() -> None:
    """Each name stands in a scenario, or in a unit test that dies there."""
    covered = {name for covers in scenarios().values() for name in covers}
    assert covered - failpoints() == set()
    texts = "".join(path.read_text() for path in (ROOT / "tests" / "unit").rglob("*.py"))
    for start, file in ELSEWHERE.items():
        assert start in (ROOT / file).read_text()
    left = {name for name in failpoints() - covered if f'"{name}' not in texts}
    assert {name for name in left if not name.startswith(tuple(ELSEWHERE))} == set()


def test_every_scenario_says_what_it_is() -> None:
    for name in scenarios():
        tree = ast.parse((HERE / "scenarios" / f"{name}.py").read_text())
        assert ast.get_docstring(tree)
        assert {"act", "check"} <= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
