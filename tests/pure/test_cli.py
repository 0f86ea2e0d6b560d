"""The command line: documentation, errors and exit codes, start-up."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossdock.cli import main as cli
from crossdock.core import errors
from crossdock.core.config import load
from crossdock.hub.boot import booted

ROOT = Path(__file__).parents[2]
OPERATOR = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")


def crossdock(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Runs a command in this process: exit code, stdout, stderr."""
    code: Any = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["crossdock", *arguments])
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
    printed = capsys.readouterr()
    return int(code), printed.out, printed.err


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert crossdock(capsys, "init", str(tmp_path / "lumen"))[0] == 0
    return tmp_path / "lumen" / "crossdock.toml"


def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Each command of a group with its whole name; a command alone is itself."""
    inner = getattr(command, "commands", {})
    if not inner:
        yield name, command
    for key, child in inner.items():
        yield from walk(f"{name} {key}", child)


@pytest.mark.parametrize("entry", cli.ENTRIES)
def test_commands_are_documented(entry: str) -> None:
    for name, command in walk(f"crossdock {entry}", cli.loaded(entry)):
        assert command.help, f"{name} has no help"
        assert f"Example: {name}" in command.help, f"the help of {name} shows no example"
        assert f"`{name}" in OPERATOR, f"docs/operator.md does not mention `{name}`"
        for option in command.params:
            assert getattr(option, "help", None), f"{name} {option.name} has no help"


@pytest.mark.parametrize("name", cli.ENTRIES)
def test_the_list_of_commands_says_what_they_say(name: str) -> None:
    assert cli.loaded(name).help.splitlines()[0] == cli.ENTRIES[name].help


def test_every_exit_code_is_documented() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    for code in {kind.exit_code for kind in kinds if hasattr(kind, "exit_code")} | {0, 2, cli.UNEXPECTED}:
        assert f"| {code} |" in OPERATOR


def test_init_writes_a_file_that_loads(project: Path) -> None:
    config = load(project)
    assert [store.name for store in config.stores] == ["north"]


def test_every_commented_line_of_the_template_is_good_too(project: Path, tmp_path: Path) -> None:
    text = project.read_text()
    for name in (
        "[servers.database]\n",
        "[environments.staging.bridge]\n",
        "[environments.production.database]\n",
        "[policies.limits]\n",
        "[network]\n",
        "[files]\n",
        "[survey]\n",
        "[dns]\n",
        "[[aws]]\n",
        "[costs]\n",
        "[[access]]\n",
    ):
        assert f"# {name}" in text
    lines = [
        line.removeprefix("# ") if line.startswith(("# [", '# "')) or " = " in line else line
        for line in text.splitlines()
    ]
    (tmp_path / "all.toml").write_text("\n".join(lines))
    config = load(tmp_path / "all.toml")
    assert config.servers[0].database
    assert config.environments["production"].database
    assert config.decisions
    assert config.files.plugins
    assert config.servers[0].ssh_config
    assert config.servers[0].http
    assert config.files.plugins
    assert config.files.themes
    assert config.aws[0].secret_key
    assert (config.costs.host_month, config.costs.servers) == (249.0, {"north": 89.9})
    assert config.access[0].purpose == "smtp"


def test_init_never_overwrites(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project.write_text("mine")
    code, _, told = crossdock(capsys, "init", str(project.parent))
    assert code == errors.ConfigError.exit_code
    assert "is there already" in told
    assert "--force" in told
    assert project.read_text() == "mine"
    assert crossdock(capsys, "init", str(project.parent), "--force")[0] == 0
    assert load(project)


def test_errors_are_told_in_plain_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, told = crossdock(capsys, "runs", "-c", str(tmp_path / "none.toml"))
    assert code == errors.ConfigError.exit_code
    assert printed == ""
    assert told.splitlines() == [
        f"{tmp_path}/none.toml: there is no such file",
        "Way out: crossdock init writes one; -c FILE names another",
    ]


def test_unexpected_errors(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fall_over(path: Path) -> None:
        raise ZeroDivisionError("by zero\nsecond line")

    monkeypatch.setattr("crossdock.cli.evidence.load", fall_over)
    monkeypatch.delenv("CROSSDOCK_DEBUG", raising=False)
    code, _, told = crossdock(capsys, "runs", "-c", str(project))
    assert code == cli.UNEXPECTED
    assert told.splitlines()[0] == "Unexpected error: ZeroDivisionError: by zero"
    assert "Traceback" not in told
    monkeypatch.setenv("CROSSDOCK_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["crossdock", "runs"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_wrong_command_lines(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = crossdock(capsys, "verify-evidense")
    assert code == 2
    assert "verify-evidence" in told
    assert crossdock(capsys, "runs", "--nonsense")[0] == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert crossdock(capsys, "--version")[:2] == (0, "crossdock 0.1.0\n")


def test_help_loads_neither_django_nor_drivers() -> None:
    code = (
        "import sys; sys.argv = ['crossdock', '--help']\n"
        "from crossdock.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "verify-evidence" in ended.stdout
    assert not {"django", "pydantic", "MySQLdb", "numpy", "httpx"} & set(ended.stderr.split())


def test_verify_evidence(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = load(project).state
    with booted(state) as hub, hub.running("copy") as journal:
        for number in range(3):
            head = journal.receipt("copy", f"wp_{number}_posts", {"rows": number}).digest
    code, printed, _ = crossdock(capsys, "verify-evidence", "-c", str(project))
    assert code == 0
    assert f"Head: {head}" in printed
    assert "3 receipts, and the chain holds" in printed
    code, printed, _ = crossdock(capsys, "verify-evidence", "-c", str(project), "--all", "--expect-head", head)
    assert code == 0
    assert "wp_2_posts" in printed
    code, printed, _ = crossdock(capsys, "verify-evidence", "-c", str(project), "--json")
    told = json.loads(printed)
    assert (code, told["holds"], told["head"], len(told["receipts"])) == (0, True, head, 3)
    assert crossdock(capsys, "runs", "-c", str(project))[1].split().count("done") == 1
    code, _, error = crossdock(capsys, "verify-evidence", "-c", str(project), "--expect-head", "ab" * 32)
    assert code == errors.EvidenceError.exit_code
    assert "is not in the chain" in error


def test_verify_evidence_names_the_bad_receipt(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = load(project).state
    with booted(state) as hub, hub.running("copy") as journal:
        for number in range(3):
            journal.receipt("copy", f"wp_{number}_posts", {"rows": number})
    database = sqlite3.connect(state / "hub.sqlite3")
    with database:
        database.execute("DROP TRIGGER runs_receipt_no_update")
        database.execute("""UPDATE runs_receipt SET data = '{"rows":7}' WHERE number = 2""")
    database.close()
    code, printed, error = crossdock(capsys, "verify-evidence", "-c", str(project), "--json")
    assert code == errors.EvidenceError.exit_code
    assert error.startswith("receipt 2: its content was changed")
    assert json.loads(printed)["bad_number"] == 2


def test_a_spoilt_database_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = load(project).state
    state.mkdir()
    (state / "hub.sqlite3").write_bytes(os.urandom(8192))
    code, _, error = crossdock(capsys, "runs", "-c", str(project))
    assert code == errors.AccessError.exit_code
    assert "the hub's database can't be used" in error
