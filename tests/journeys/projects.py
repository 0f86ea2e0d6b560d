"""Projects on the lab's servers, and what tells two targets apart."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from crossdock.lab.lab import Lab
from crossdock.lab.managed import ENVIRONMENTS

_numbers = count(1)
# Every process that works for a project inherits this variable, so that it is found after its parent died too.
_MARK = "CROSSDOCK_TEST_PROJECT"
_LOOK = "surroundings.json"
# Columns that hold the moment of the copy.
_MOMENTS = {"blogs": ("registered", "last_updated")}


@dataclass
class Project:
    """A crossdock.toml of its own beside the lab's, with a state folder of its own."""

    lab: Lab
    config: Path
    state: Path
    servers: Sequence[str] = ()
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """`crossdock ARGUMENTS -c config` in the background, in a process group of its own."""
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("crossdock")), *arguments, "-c", str(self.config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env={**os.environ, _MARK: str(self.config)}, **options,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def run(self, *arguments: str, timeout_seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """`crossdock ARGUMENTS -c config`, to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout_seconds)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def green(self, *arguments: str) -> str:
        """As `run`; anything but exit 0 fails the test with what was printed. Returns stdout."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def sibling(self) -> Project:
        """Another project on the same lab and target, with a state folder of its own."""
        return new_project(self.lab, self.servers)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.communicate()
        if (self.state / _LOOK).exists():
            shutil.copy(self.state / _LOOK, _kept_look(self.lab, self.servers))
        shutil.rmtree(self.state, ignore_errors=True)
        self.config.unlink(missing_ok=True)


def _kept_look(lab: Lab, servers: Sequence[str]) -> Path:
    """What an earlier project saw around these servers. The next one's plan leans on it, as one's own would: looking
    around takes seconds, and `move assess` does it anew in any case."""
    return lab.folder / f"look-around-{'-'.join(servers)}.json"


def new_project(lab: Lab, servers: Sequence[str] = (), *, backup: bool = False) -> Project:
    """A fresh state folder; the environments stay as they are. `servers`: which sources take part (default: all).
    Unless it is about `backup`, a decision lets it write to targets without one."""
    number = next(_numbers)
    text = lab.config.read_text(encoding="utf-8")
    fresh, hits = re.subn(r'^state = ".*"$', f'state = ".state-{number}"', text, flags=re.MULTILINE)
    assert hits == 1
    config = lab.folder / f"project-{number}.toml"
    text = _only(fresh, servers) if servers else fresh
    config.write_text(text if backup else _without_backup(text, servers or list(lab.sources)), encoding="utf-8")
    state = lab.folder / f".state-{number}"
    if (kept := _kept_look(lab, servers)).exists():
        state.mkdir()
        shutil.copy(kept, state / _LOOK)
    return Project(lab, config, state, servers)


def _without_backup(text: str, servers: Sequence[str]) -> str:
    answer = '{ choice = "without", by = "Ada Berg", reason = "this test is about something else" }'
    lines = "".join(f'"backup:{server}" = {answer}\n' for server in servers)
    fresh, hits = re.subn(r"^\[decisions\]\n", f"[decisions]\n{lines}", text, flags=re.MULTILINE)
    assert hits == 1
    return fresh


def _only(text: str, servers: Sequence[str]) -> str:
    """The configuration without the servers, stores and decisions of the others."""
    blocks = re.split(r"^(?=\[\[|\[network)", text, flags=re.MULTILINE)
    told = [re.search(r'^(?:\[\[servers\]\]\nname|server) = "(.*)"$', block, flags=re.MULTILINE) for block in blocks]
    kept = "".join(block for block, found in zip(blocks, told, strict=True) if not found or found.group(1) in servers)
    lines = kept.splitlines(keepends=True)
    decisions = [re.match(r'"[\w-]+:([^:"]+):', line) for line in lines]
    wanted = {"*", *servers}
    return "".join(line for line, found in zip(lines, decisions, strict=True) if not found or found.group(1) in wanted)


def reset(lab: Lab, *environments: str) -> None:
    """Empties the environments (both by default)."""
    for name in environments or ENVIRONMENTS:
        lab.managed.reset(name)


def new_lab(profile: str = "gateway", **options: Any) -> Lab:
    """A tiny lab, not started, in a folder that the servers' account can reach."""
    # pytest's own folders are closed to other accounts, and too deep for Unix sockets.
    folder = Path(tempfile.mkdtemp(prefix=f"cd-{profile}-"))
    return Lab(folder, profile=profile, size="tiny", **options)  # type: ignore[arg-type]


def deploy_woocommerce(lab: Lab) -> None:
    """Copies WooCommerce's code from south to both environments; skips the test where there is none."""
    south = lab.sources["south"]
    if not south.has_woocommerce:
        pytest.skip("; ".join(lab.not_real))
    for environment in ENVIRONMENTS:
        plugin = lab.managed.root(environment) / "wp-content/plugins/woocommerce"
        shutil.copytree(south.wordpress.root / "wp-content/plugins/woocommerce", plugin)
        lab.managed.server.account.own(plugin)


def schema_of(lab: Lab, place: str) -> tuple[str, str]:
    """(server, schema) of a source's name or an environment's."""
    if place in ENVIRONMENTS:
        return "managed", lab.managed.database(place)
    return place, lab.sources[place].database


def checksums(lab: Lab, place: str, *, counters: bool = True) -> dict[str, str]:
    """{name: checksum} of all that a copy makes in a source's or environment's schema: rows, definitions (keys,
    foreign keys, AUTO_INCREMENT unless told not), triggers and views. Our own crossdock_* tables are left out."""
    server, schema = schema_of(lab, place)
    found: dict[str, str] = {}
    with lab.connect(server, schema) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW FULL TABLES")
        kinds = dict(cursor.fetchall())
        names = sorted(name for name in kinds if not name.startswith("crossdock_"))
        for name in names:
            if kinds[name] == "VIEW":
                cursor.execute(f"SHOW CREATE VIEW `{name}`")
                found[f"view {name}"] = cursor.fetchone()[1]
                continue
            cursor.execute(f"SHOW CREATE TABLE `{name}`")
            definition = cursor.fetchone()[1]
            if not counters:
                definition = re.sub(r" AUTO_INCREMENT=\d+", "", definition)
            found[name] = f"{_rows(cursor, name)} {_digest(definition)}"
        cursor.execute(
            "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_STATEMENT"
            " FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %s",
            (schema,),
        )
        found |= {f"trigger {row[0]}": " ".join(map(str, row[1:])) for row in cursor.fetchall()}
    return found


def _rows(cursor: Any, name: str) -> str:
    skipped = next((columns for suffix, columns in _MOMENTS.items() if name.endswith(f"_{suffix}")), ())
    if not skipped:
        cursor.execute(f"CHECKSUM TABLE `{name}` EXTENDED")
        return str(cursor.fetchone()[1])
    cursor.execute(f"SHOW COLUMNS FROM `{name}`")
    columns = ", ".join(f"`{row[0]}`" for row in cursor.fetchall() if row[0] not in skipped)
    cursor.execute(f"SELECT {columns} FROM `{name}` ORDER BY 1")
    return _digest(repr(cursor.fetchall()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def different(one: dict[str, str], other: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """Where two checksums differ."""
    return {key: (one.get(key), other.get(key)) for key in sorted({*one, *other}) if one.get(key) != other.get(key)}


def processes_of(project: Project) -> dict[int, str]:
    """The living processes on this machine that work for a project, by pid: its commands, workers, ssh clients."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{_MARK}={project.config}\0".encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found
