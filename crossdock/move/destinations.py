"""Where everything that was found goes: by a rule of ours where it is sure, else by a person's decision. Pure.

A decision names one item (`plugin:north:acme-badges`) or several (`plugin:*:acme-*`, `port:north:*`): `*` stands for
any text. The most exact one that fits wins, whatever their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from crossdock.core.config import Config, Decision
from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Destination, Item
from crossdock.move.destination_rules import Known, ruled
from crossdock.wordpress.code import plain

#: Who decides where a rule of ours does.
RULE = "crossdock"
CHOICES: dict[str, Literal["kept", "replaced", "dropped"]] = {"keep": "kept", "replace": "replaced", "drop": "dropped"}
#: Kinds whose items come and go while stores are open: the plan holds them summed up by server.
PASSING = frozenset({
    "cron-hook", "webhook", "api-key", "gateway", "licence", "account", "data",  # rows
    "peer", "port", "folder", "at", "firewall-rule", "page-cache",  # what a server has at one moment
})  # fmt: skip
#: Open items of one kind on one server beyond this many are asked about by one pattern; code rather one by one.
_ASKED_APART, _CODE_ASKED_APART = 20, 200
_CODE = ("plugin", "must-use", "drop-in", "theme")
_NAMED = 5


@dataclass(frozen=True)
class Placed:
    """One item's destination as the plan holds it; of passing kinds, a server's with one choice (`peer:north:*`)."""

    key: str
    choice: str
    by: str


@dataclass
class Destinations:
    """Every item with its destination, and what is wrong with the decisions. `used`: keys that decided something."""

    items: list[tuple[Item, Destination]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    @property
    def open(self) -> list[Item]:
        return [item for item, there in self.items if there.choice == "open"]


def destinations(config: Config, items: Sequence[Item], known: Known) -> Destinations:
    """Exactly one destination for every item. What a rule of ours says of what the move itself carries holds whatever
    a decision says; of other rules an exact decision is stronger, a pattern weaker."""
    made = Destinations()
    given = {key: one for key, one in config.decisions.items() if key.count(":") >= 2}
    patterns = [key for key in given if "*" in key]
    for item in sorted(_unlike(items), key=lambda one: (one.kind, one.server, one.name)):
        rule = ruled(item, known)
        exact = item.key if item.key in given else ""
        if rule is not None and (rule.is_firm or not exact):
            made.items.append((item, Destination(rule.choice, RULE, rule.reason)))
            if exact:
                made.used.add(exact)
                made.findings.append(_overruled(config, item, rule.reason))
            continue
        keys = [exact] if exact else most_exact(item, patterns)
        made.used.update(keys)
        made.items.append((item, _decided(config, item, keys, given, made.findings)))
    made.findings += [*_contradictions(config, made), *_by_hand(made, known.host_drop_ins), *_asked(config, made.open)]
    return made


def _unlike(items: Iterable[Item]) -> list[Item]:
    """Each key once: two observers of one thing tell it twice."""
    return list({one.key: one for one in items}.values())


def approved_for(names: Sequence[str], server: str) -> list[str]:
    """The names of [files] that hold for a server, alone."""
    pairs = [name.rpartition("/") for name in names]
    return list(dict.fromkeys(name for owner, _, name in pairs if owner in ("", server)))


def _contradictions(config: Config, made: Destinations) -> Iterable[Finding]:
    """[files] approves code that a decision does not keep: only a person can say which of the two holds."""
    lists = {"plugin": ("plugins", config.files.plugins), "must-use": ("must_use", config.files.must_use)}
    for item, there in made.items:
        key, names = lists.get(item.kind, ("", ()))
        if there.choice in ("replaced", "dropped") and item.name in approved_for(names, item.server):
            text = f"{there.choice} by {there.by}, though [files] {key} approves it"
            way_out = f'take it out of [files] {key}, or decide "keep" for "{item.key}"'
            yield Finding("decision.contradicts-files", Level.BLOCK, item.key, text, way_out)


def _by_hand(made: Destinations, host_drop_ins: frozenset[str]) -> Iterable[Finding]:
    """Drop-ins that a person keeps: Crossdock carries none, as a host's own would be overwritten."""
    for item, there in made.items:
        if item.kind == "drop-in" and there.choice == "kept" and item.name not in host_drop_ins:
            text = f"is kept by {there.by}, but drop-ins are never carried, and the target has none of this name"
            yield Finding("drop-in.by-hand", Level.WARN, item.key, text, "ask the host to put it in place")


def _decided(
    config: Config, item: Item, keys: Sequence[str], given: Mapping[str, Decision], found: list[Finding]
) -> Destination:
    answers = {given[key].choice for key in keys}
    if not answers:
        return Destination("open")
    if len(answers) > 1:
        text = f"decisions that are equally exact disagree: {', '.join(keys)}"
        found.append(Finding("decision.ambiguous", Level.BLOCK, item.key, text, f'decide "{item.key}" by itself'))
        return Destination("open")
    one = given[keys[0]]
    if choice := CHOICES.get(one.choice):
        return Destination(choice, one.by, one.reason)
    wrong = f'decision "{keys[0]}" says {one.choice}; possible: {", ".join(CHOICES)}'
    if all(told.text != wrong for told in found):
        found.append(Finding("decision.invalid", Level.BLOCK, str(config.path), wrong, "mend its choice"))
    return Destination("open")


# -- patterns --------------------------------------------------------------------------------------------------------


def most_exact(item: Item, patterns: Iterable[str]) -> list[str]:
    """The patterns that fit an item and that none is more exact than: by the name first, then the server, the kind."""
    fitting = [one for one in patterns if _fits(one, item)]
    best = max((_exactness(one) for one in fitting), default=None)
    return sorted(one for one in fitting if _exactness(one) == best)


def _fits(pattern: str, item: Item) -> bool:
    parts = zip(pattern.split(":", 2), (item.kind, item.server, item.name), strict=True)
    return all(_compiled(one).fullmatch(value) for one, value in parts)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(one) for one in pattern.split("*")), re.DOTALL)


def _exactness(pattern: str) -> tuple[tuple[bool, int], ...]:
    kind, server, name = pattern.split(":", 2)
    return tuple(("*" not in one, len(one.replace("*", ""))) for one in (name, server, kind))


# -- questions -------------------------------------------------------------------------------------------------------


def _asked(config: Config, items: Sequence[Item]) -> list[Finding]:
    """A block for each open item; for very many of one kind on one server, one with the pattern that answers all."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        groups.setdefault((item.kind, item.server), []).append(item)
    found: list[Finding] = []
    for (kind, server), some in groups.items():
        if len(some) <= (_CODE_ASKED_APART if kind in _CODE else _ASKED_APART):
            found += [_question(config, item.key, item.key, _told(item)) for item in some]
            continue
        names = ", ".join(item.name for item in some[:_NAMED])
        text = f"{len(some)} of them have no destination yet: {names}, ..."
        found.append(_question(config, f"{kind}:{server}:*", f"{kind}:{server}:*", text))
    return found


def _told(item: Item) -> str:
    """What a person should know before they decide."""
    codes = sorted({str(one["code"]) for one in item.data.get("risks", ())})
    return f"{item.text}; {', '.join(codes)}" if codes else item.text


def _question(config: Config, key: str, place: str, text: str) -> Finding:
    way_out = f"in {config.path} under [decisions]: {decision_line(key)}"
    return Finding("item.open", Level.BLOCK, place, text, way_out, {"decision": key, "choices": list(CHOICES)})


def decision_line(key: str, choices: Iterable[str] = CHOICES, note: str = "") -> str:
    """The line of crossdock.toml that answers a question, but for who, what and why."""
    told = f"  # {note}" if note else ""
    return f'{_quoted(key)} = {{ choice = "{"|".join(choices)}", by = "...", reason = "..." }}{told}'


def open_block(found: Iterable[Finding]) -> list[str]:
    """[decisions], ready to paste: a line for each question that a finding asks, its text behind it."""
    lines = [
        decision_line(one.data["decision"], one.data["choices"], plain(one.text, 160))
        for one in found
        if one.level is Level.BLOCK and one.data.get("choices")
    ]
    return ["[decisions]", *dict.fromkeys(lines)] if lines else []


def _quoted(key: str) -> str:
    # A JSON string is a TOML basic string, but for one character.
    return json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")


def _overruled(config: Config, item: Item, reason: str) -> Finding:
    text = f'decision "{item.key}" decides nothing: {reason}'
    return Finding("decision.unused", Level.WARN, str(config.path), text, "remove it")


# -- for the plan ----------------------------------------------------------------------------------------------------


def placed(made: Destinations) -> tuple[Placed, ...]:
    """The destinations as the plan holds them: nothing that changes while stores are open."""
    lines: dict[Placed, None] = {}
    for item, there in made.items:
        key = f"{item.kind}:{item.server}:*" if item.kind in PASSING else item.key
        lines[Placed(key, there.choice, there.by)] = None
    return tuple(sorted(lines, key=lambda one: (one.key, one.choice, one.by)))


def settled(kept: Sequence[Placed], fresh: Sequence[Placed]) -> tuple[Placed, ...]:
    """The destinations of a plan that is being applied: its own items with what is decided of them now. What appeared
    since is no part of it, and what is gone since stays in it: neither makes the copy another one."""
    now: dict[str, list[Placed]] = {}
    for one in fresh:
        now.setdefault(one.key, []).append(one)
    lines: dict[Placed, None] = {}
    for one in kept:
        is_sum_of_rules = one.key.endswith(":*") and one.by == RULE
        lines |= dict.fromkeys([one] if is_sum_of_rules else now.get(one.key, [one]))
    return tuple(lines)


def appeared(kept: Sequence[Placed], made: Destinations) -> list[Finding]:
    """What is there now and was not when the plan was made."""
    known = {one.key for one in kept}
    return [
        Finding("item.new", Level.INFO, item.key, f"was not there when the plan was made: {there.choice}")
        for item, there in made.items
        if item.key not in known and item.kind not in PASSING and there.choice != "open"
    ]


def code_of(placed_: Iterable[Placed], kind: str, *choices: str) -> tuple[str, ...]:
    """`server/name` of the code of a kind with these choices, as [files] writes it."""
    keys = [one.key.split(":", 2) for one in placed_ if one.choice in choices]
    return tuple(f"{server}/{name}" for of, server, name in keys if of == kind)


def counts(placed_: Iterable[Placed]) -> dict[str, int]:
    """Items of the plan by choice."""
    found: dict[str, int] = {}
    for one in placed_:
        found[one.choice] = found.get(one.choice, 0) + 1
    return dict(sorted(found.items()))
