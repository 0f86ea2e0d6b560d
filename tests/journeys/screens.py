"""What the tests of the screens share: a project's file, accounts, and a client that is signed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from crossdock.core.evidence import Finding, Level
from crossdock.hub.accounts.rules import Role
from crossdock.hub.boot import Hub

PASSWORD = "correct-horse-battery"
PLAN = "ab" * 32
TOML = """
[project]
name = "Lumen Outdoor"
state = ".crossdock"
[[servers]]
name = "north"
ssh = "north"
root = "/srv/north"
[[stores]]
name = "north"
server = "north"
domains = { staging = "north.staging.example.com", production = "www.north.example" }
[environments.staging]
ssh = "s"
root = "/srv/s"
[environments.production]
ssh = "p"
root = "/srv/p"
[[people]]
name = "Ada Berg"
email = "ada@example.com"
role = "operator"
[milestones]
start = 2027-01-11
"""


class Silent:
    """core.ports.Progress that nobody hears."""

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...


class QuickHasher(PBKDF2PasswordHasher):
    """Django's default, in a thousandth of its time; a real server understands it too."""

    iterations = 1000


def write_project(folder: Path) -> Path:
    path = folder / "crossdock.toml"
    path.write_text(TOML, encoding="utf-8")
    return path


def fill(hub: Hub, state: Path, findings: int = 12) -> None:
    """A plan in force, runs of four kinds, and findings of every level."""
    (state / "plan.json").write_text(f'{{"digest": "{PLAN}"}}', encoding="utf-8")
    with hub.running("assess") as journal:
        for number in range(findings):
            code = ("table.unknown", "url.loop", "url.chain")[number % 3]
            level = list(Level)[number % 4]
            journal.finding(Finding(code, level, f"north:wp_{number}", f"thing {number}", "decide"), step="assess")
        journal.receipt("assess", "Lumen Outdoor", {"findings": {"block": findings // 4}})
    with hub.running("copy", subject="staging") as journal:
        journal.receipt("copy", "staging", {"plan": PLAN, "rows_moved": 12345})
    with hub.running("validate", subject="staging") as journal:
        journal.receipt("validate", "staging", {"plan": PLAN, "green": False})


def account(role: Role | str, email: str = "") -> Any:
    """An account with PASSWORD."""
    from crossdock.hub.accounts.models import Account  # noqa: PLC0415 - Django is set up by the fixture

    made = Account(email=email or f"{role}@example.com", role=str(role), name=f"The {role}")
    made.password = QuickHasher().encode(PASSWORD, QuickHasher().salt())
    made.save()
    return made
