"""What a server does by itself: timers, crontabs, at jobs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossdock.core.inventory import Item
from crossdock.core.observed import Probed
from crossdock.move.inventory.words import lines, masked, numbered, plain, records

_SETTING = re.compile(r"^\s*\w+\s*=")
_SCHEDULE = re.compile(r"^(@\w+|(?:\S+\s+){4}\S+)\s+(.+)$")
_CALENDAR = re.compile(r"(On\w+)=([^;}]+?)\s*[;}]")
# Files in which a sixth word names who runs the command.
_WITH_USER = ("/etc/crontab", "/etc/cron.d/")
_MOST_OF_ONE = 200
_MOST_NAME = 160


def job_items(server: str, answers: dict[str, Probed]) -> list[Item]:
    """One item for each line, script or timer; of a file with very many lines the first ones, and how many more."""
    empty = Probed()
    found = [
        *_timers(server, answers.get("timers", empty)),
        *_crontab(server, "(own crontab)", answers.get("own_crontab", empty).out),
        *(item for path, text in answers.get("crontabs", empty).files for item in _crontab(server, path, text)),
        *(_script(server, path) for path in records(answers.get("cron_scripts", empty).out)),
        *_at(server, answers.get("at", empty)),
    ]
    return list(numbered(found))


def _timers(server: str, told: Probed) -> Iterator[Item]:
    for block in told.out.decode("utf-8", "replace").split("\n\n"):
        facts = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        name = plain(facts.get("Id", ""))
        if not name:
            continue
        when = ", ".join(
            f"{kind.removeprefix('On')} {time.strip()}"
            for key in ("TimersCalendar", "TimersMonotonic")
            for kind, time in _CALENDAR.findall(facts.get(key, ""))
        )
        unit = plain(facts.get("Unit", ""))
        yield Item("timer", server, name, f"starts {unit}: {when or 'when it is told'}", {"unit": unit, "when": when})


def _crontab(server: str, path: str, text: bytes) -> Iterator[Item]:
    place, has_user, count = plain(path), path.startswith(_WITH_USER), 0
    for line in lines(text):
        if line.startswith("#") or _SETTING.match(line) or not (found := _SCHEDULE.match(line)):
            continue
        count += 1
        if count > _MOST_OF_ONE:
            continue
        when, command = " ".join(found[1].split()), plain(found[2])
        user, command = command.split(None, 1) if has_user and len(command.split(None, 1)) == 2 else ("", command)
        shown = masked(command)
        data = {"file": place, "when": when, "user": user, "command": shown[:500]}
        yield Item("cron", server, f"{place} {when} {shown}"[:_MOST_NAME], f"{when}  {shown}"[:300], data)
    if count > _MOST_OF_ONE:
        more = count - _MOST_OF_ONE
        yield Item("cron", server, f"{place} (more)", f"{more:,} more lines", {"file": place, "count": more})


def _script(server: str, path: bytes) -> Item:
    name = plain(path)
    when = name.split("/")[2].removeprefix("cron.") if name.count("/") > 2 else ""
    return Item("cron", server, name, f"runs {when}", {"file": name, "when": when})


def _at(server: str, told: Probed) -> Iterator[Item]:
    for line in lines(told.out):
        number, *when = plain(line.replace("\t", " ")).split()
        # What follows the time is a queue and a person's account.
        yield Item("at", server, f"job {number}", f"runs once: {' '.join(when[:5])}", {})
