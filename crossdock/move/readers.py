"""WordPress itself as judge: it reads the same on both sides, and all is equal but for what the plan changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crossdock.core.errors import CrossdockError
from crossdock.move.asking import Side, ask_wordpress
from crossdock.wordpress import catalogue
from crossdock.wordpress.people import People
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import StoreMap

_KINDS = ("posts", "users", "products", "orders")


@dataclass
class Reading:
    """One store read on both sides. `differences` name kind, ID and field; `by` says who read the orders."""

    store: str
    counts: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    by: str = ""
    problem: str = ""


def read_both(source: Side, target: Side, store: StoreMap, people: People, rewriter: Rewriter, sample: int) -> Reading:
    """Reads an even sample of posts, users, products and orders. Never raises for what WordPress says."""
    reading = Reading(store.store)
    try:
        ask: dict[str, Any] = {"mode": "probe", "woocommerce": True, "sample": sample} | dict.fromkeys(_KINDS)
        here, there = _read(source, ask), _read(target, ask)
        woocommerce = bool(here["woocommerce"]) and bool(there["woocommerce"])
        reading.by = "WooCommerce" if woocommerce else "WordPress"
        ask |= {"mode": "read", "woocommerce": woocommerce}
        mine = _read(source, ask)
        wanted = {kind: mine["ids"][kind] for kind in _KINDS}
        users = [people.target_id(one) for one in wanted["users"]]
        theirs = _read(target, ask | wanted | {"users": users})
    except CrossdockError as error:
        reading.problem = error.what
        return reading
    expected = _Expected(store, people, rewriter)
    if theirs["blog"] != store.target_blog:
        reading.differences.append(f"the domain leads to blog {theirs['blog']}, not {store.target_blog}")
    if theirs["home"].rstrip("/") != store.target_url:
        reading.differences.append(f"home is {theirs['home']}, not {store.target_url}")
    for name in ("name", "currency"):
        if mine[name] != theirs[name]:
            reading.differences.append(f"{name} differs")
    for kind in _KINDS:
        reading.counts[kind] = len(mine[kind])
        for number, one, other in zip(wanted[kind], mine[kind], theirs[kind], strict=True):
            places = _differing(expected.of(kind, one), other, f"{kind[:-1]} {number}")
            reading.differences += places[: 20 - len(reading.differences)]
    return reading


def _read(side: Side, ask: Mapping[str, Any]) -> dict[str, Any]:
    return ask_wordpress(side, "reader.php", {**ask, "plugins": ask["woocommerce"]})


class _Expected:
    """What the plan makes of a thing that was read at the source."""

    def __init__(self, store: StoreMap, people: People, rewriter: Rewriter) -> None:
        self.store, self.people, self.rewriter = store, people, rewriter

    def of(self, kind: str, one: Any) -> Any:
        if one is None:
            return None
        made = {key: self._plain(value) for key, value in one.items() if key != "meta"}
        if kind == "posts":
            made["author"] = self.people.target_id(one["author"])
            made["meta"] = [[key, self._meta(key, values)] for key, values in one["meta"]]
        elif kind == "orders":
            made["customer"] = self.people.target_id(one["customer"])
        elif kind == "users":
            return self._user(one)
        return made

    def _user(self, one: dict[str, Any]) -> dict[str, Any]:
        made = {**one, "id": self.people.target_id(one["id"])}
        if one["id"] in self.people.merged:
            # The account is the earlier store's: the person (e-mail) and the roles in this store must be equal.
            return {key: made[key] for key in ("id", "email", "roles")}
        if one["id"] in self.people.renamed:
            made["login"] = self.people.renamed[one["id"]][0]
        return made

    def _meta(self, key: str, values: list[Any]) -> list[Any]:
        raw = key.encode()
        if raw in catalogue.EDIT_LOCK_KEYS:
            return [self._edit_lock(str(one)) for one in values]
        if catalogue.holds_user(raw):
            return [str(self.people.target_id(int(one))) if str(one).isdigit() else one for one in values]
        return [self._plain(one) for one in values]

    def _edit_lock(self, value: str) -> str:
        stamp, colon, user = value.partition(":")
        return f"{stamp}:{self.people.target_id(int(user))}" if colon and user.isdigit() else value

    def _plain(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.rewriter.rewrite(value.encode("utf-8", "surrogatepass")).value.decode("utf-8", "replace")
        if isinstance(value, list):
            return [self._plain(one) for one in value]
        if isinstance(value, dict):
            return {key: one if key == "__class" else self._plain(one) for key, one in value.items()}
        return value


def _differing(expected: Any, found: Any, place: str) -> list[str]:
    """Names of the places where two readings differ; what `expected` does not name is not compared."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            where for key, value in expected.items() for where in _differing(value, found.get(key), f"{place}, {key}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            where
            for at, (one, other) in enumerate(zip(expected, found, strict=True))
            for where in _differing(one, other, f"{place}[{_name(one, at)}]")
        ]
    return [] if expected == found else [place]


def _name(one: Any, at: int) -> str:
    return str(one[0]) if isinstance(one, list) and one and isinstance(one[0], str) else str(at)
