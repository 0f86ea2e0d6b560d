"""The architecture, held by the AST: who may import whom, what the pure rooms may not touch, and how long things get.

cli, hub -> move, formats, edges -> wordpress -> core; move, formats and edges do not import each other.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "crossdock"
MAY_IMPORT = {
    "": set(),
    "core": set(),
    "wordpress": {"core"},
    "move": {"core", "wordpress"},
    "formats": {"core", "wordpress"},
    "edges": {"core", "wordpress"},
    "hub": {"core", "wordpress", "move", "formats", "edges"},
    "cli": {"core", "wordpress", "move", "formats", "edges", "hub"},
    "lab": {"core", "wordpress", "edges"},
}
LAB_COMMANDS = {"cli/lab.py", "cli/demo.py"}
# Pure rooms name no technology: no socket, process, database driver, web framework or browser.
IMPURE = {
    *("socket", "ssl", "subprocess", "multiprocessing", "asyncio", "ftplib", "smtplib", "sqlite3", "http", "select"),
    *("django", "MySQLdb", "pymysql", "psycopg", "httpx", "requests", "paramiko", "dns", "boto3", "playwright", "dbos"),
    *("typer", "rich", "urllib.request"),
}
MOST_FILE_LINES = 600
MOST_FUNCTION_LINES = 60
MOST_MEDIAN_LINES = 12


def modules(package: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(package.rglob("*.py")):
        if "migrations" not in path.parts and "data" not in path.relative_to(package).parts:
            yield path.relative_to(package).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports(name: str, tree: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports; `from a import b` gives a and a.b. Relative ones are made absolute."""
    here = ["crossdock", *name.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*here[: len(here) - node.level + 1], node.module or ""]).rstrip(".")
            source = base if node.level else str(node.module)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def broken_arrows(package: Path) -> list[str]:
    found = []
    for name, tree in modules(package):
        room = name.split("/")[0] if "/" in name else ""
        for target in sorted(set(imports(name, tree))):
            parts = target.split(".")
            if parts[0] == "crossdock" and len(parts) > 1:
                found += _wrong_arrow(name, room, parts[1])
            found += _wrong_technology(name, room, target)
    return sorted(set(found))


def _wrong_arrow(name: str, room: str, target: str) -> list[str]:
    if target not in MAY_IMPORT or target in (room, ""):
        return []
    allowed = MAY_IMPORT.get(room, set()) | ({"lab"} if name in LAB_COMMANDS else set())
    return [] if target in allowed else [f"{name} imports {target}"]


def _wrong_technology(name: str, room: str, target: str) -> list[str]:
    def named(technology: str) -> bool:
        return target == technology or target.startswith(f"{technology}.")

    if room in ("core", "wordpress"):
        return [f"{name} is pure, but imports {technology}" for technology in IMPURE if named(technology)]
    if room == "hub" and name.endswith("/rules.py") and named("django"):
        return [f"{name} holds rules, but imports django"]
    if room != "hub" and named("django"):
        return [f"{name} imports django"]
    return [f"{name} imports dbos"] if named("dbos") and name != "hub/engine.py" else []


def function_lengths(package: Path) -> dict[str, int]:
    """Lines of each function, signature and docstring included."""
    return {
        f"{name}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def overlong(package: Path) -> list[str]:
    found = [
        f"{place}: {lines} lines" for place, lines in function_lengths(package).items() if lines > MOST_FUNCTION_LINES
    ]
    for path in sorted(package.rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_FILE_LINES:
            found.append(f"{path.relative_to(package)}: {lines} lines")
    return found


def test_arrows_point_one_way() -> None:
    assert broken_arrows(PACKAGE) == []


def test_files_and_functions_are_short() -> None:
    assert overlong(PACKAGE) == []
    assert statistics.median(function_lengths(PACKAGE).values()) <= MOST_MEDIAN_LINES


@pytest.mark.parametrize(
    ("name", "line", "told"),
    [
        ("core/a.py", "from crossdock.wordpress import tables", "core/a.py imports wordpress"),
        ("core/a.py", "from ..move import plan", "core/a.py imports move"),
        ("core/a.py", "import subprocess", "core/a.py is pure, but imports subprocess"),
        ("core/a.py", "def f():\n    import socket", "core/a.py is pure, but imports socket"),
        ("wordpress/a.py", "from urllib import request", "wordpress/a.py is pure, but imports urllib.request"),
        ("wordpress/a.py", "import MySQLdb.cursors", "wordpress/a.py is pure, but imports MySQLdb"),
        ("wordpress/a.py", "from crossdock import edges", "wordpress/a.py imports edges"),
        ("move/a.py", "import crossdock.edges.ssh", "move/a.py imports edges"),
        ("edges/a.py", "from crossdock.move.plan import Plan", "edges/a.py imports move"),
        ("formats/a.py", "from crossdock.edges import ftp", "formats/a.py imports edges"),
        ("move/a.py", "from django.db import models", "move/a.py imports django"),
        ("hub/runs/rules.py", "from django.db import models", "hub/runs/rules.py holds rules, but imports django"),
        ("hub/a.py", "from crossdock.cli import main", "hub/a.py imports cli"),
        ("hub/worker.py", "from dbos import DBOS", "hub/worker.py imports dbos"),
        ("cli/move.py", "from crossdock.lab import lab", "cli/move.py imports lab"),
        ("edges/a.py", "import crossdock.lab", "edges/a.py imports lab"),
    ],
)
def test_a_broken_arrow_is_seen(tmp_path: Path, name: str, line: str, told: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert broken_arrows(tmp_path) == [told]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cli/lab.py", "from crossdock.lab import lab"),
        ("cli/demo.py", "from crossdock.lab import lab"),
        ("hub/engine.py", "import dbos"),
        ("hub/runs/models.py", "from django.db import models"),
        ("move/a.py", "from crossdock.wordpress.transform import transform\nimport multiprocessing"),
        ("lab/a.py", "from crossdock.edges import ssh"),
        ("core/a.py", "from crossdock.core.errors import ConfigError\nfrom crossdock import __version__"),
    ],
)
def test_a_good_arrow_is_let_through(tmp_path: Path, name: str, line: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert broken_arrows(tmp_path) == []


def test_length_is_seen(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("x = 1\n" * (MOST_FILE_LINES + 1))
    (tmp_path / "deep.py").write_text("def f():\n" + "    x = 1\n" * MOST_FUNCTION_LINES)
    assert overlong(tmp_path) == [
        f"deep.py:1 f: {MOST_FUNCTION_LINES + 1} lines",
        f"long.py: {MOST_FILE_LINES + 1} lines",
    ]
