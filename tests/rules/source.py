"""The source tree as the rules read it."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "belvedere"


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package by its path from the root."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"), str(path))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def walk(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return what `ast.walk` yields, which costs most of what a rule costs; rules change nothing in it."""
    return tuple(ast.walk(tree))


@cache
def excused(section: str) -> dict[str, str]:
    """Return one section of the reviewed list of exceptions."""
    return dict(tomllib.loads((Path(__file__).parent / "excused.toml").read_text()).get(section, {}))


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every function as `path::qualified.name`."""
    for path, tree in modules().items():
        yield from ((f"{path}::{name}", node) for name, node in _functions(tree, ""))


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        else:
            yield from _functions(node, prefix)


def imported(tree: ast.AST) -> set[str]:
    """Return the names of all modules that a module imports, wherever it does so."""
    names: set[str] = set()
    for node in walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names
