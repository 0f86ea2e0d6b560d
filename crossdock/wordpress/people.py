"""Who becomes whom: the users of several installations in one network.

A user's target ID is the server's base + the source ID, unless the policy merges two people by e-mail. The decision is
made once for each person; a later change of an e-mail address never merges again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# user_nicename varchar(50); user_login has 60.
_NAME_LIMIT = 50
# Letters that have no decomposition, and that the collations take for their plain letter all the same.
_STROKES = str.maketrans("øØđĐłŁħĦı", "oOdDlLhHi")


@dataclass(frozen=True)
class SourceUser:
    """What is compared of a user. All text as WordPress stores it."""

    id: int
    login: str
    nicename: str
    email: str


@dataclass(frozen=True)
class Placement:
    """Where one user goes. `merged`: an earlier store's account stays the person's account and this row is left behind.
    `reason` says why in words without personal data."""

    source_id: int
    target_id: int
    merged: bool
    login: str
    nicename: str
    reason: str

    @property
    def renamed(self) -> bool:
        return not self.merged and bool(self.login or self.nicename)


@dataclass
class Directory:
    """Everybody who is in the target already. Keys are normalized; filled server by server, in the plan's order."""

    emails: dict[str, int] = field(default_factory=dict)
    logins: set[str] = field(default_factory=set)
    nicenames: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class People:
    """One server's user map: the rule (base) and its exceptions. Picklable."""

    base: int
    merged: Mapping[int, int] = field(default_factory=dict)
    renamed: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    def target_id(self, source_id: int) -> int:
        """0 (nobody, a guest) stays 0."""
        if source_id <= 0:
            return source_id
        return self.merged.get(source_id) or self.base + source_id


def email_key(email: str) -> str:
    """The person's key: the address without surrounding space, in lower case. Empty: no key, never merged."""
    return email.strip().lower()


def login_key(login: str) -> str:
    """A login or nicename as the columns' collation compares it: without case, accents and surrounding space."""
    if login.isascii():  # nearly all; the rest of this takes ten times as long
        return login.lower().strip()
    plain = unicodedata.normalize("NFKD", login.translate(_STROKES)).casefold().strip()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def place(
    users: Iterable[SourceUser], directory: Directory, *, server: str, base: int, headroom: int, merge: bool
) -> list[Placement]:
    """Places one server's users, in ID order, and enters them in the directory. Raises ValueError beyond the headroom.

    Only exceptions are returned: merged and renamed users. Two users of one server are never merged with each other
    (wc_customer_lookup.user_id is unique), even when their addresses are equal, nor renamed because of each other: the
    server has lived with it.
    """
    everybody = sorted(users, key=lambda one: one.id)
    beyond = next((user.id for user in everybody if not 0 < user.id < headroom), None)
    if beyond is not None:
        raise ValueError(f"user {beyond} lies beyond the headroom of a server: 1 to {headroom - 1}")
    merged = _merges(everybody, directory.emails) if merge else {}
    own = [user for user in everybody if user.id not in merged]
    logins = _Names(directory.logins, [user.login for user in own], server)
    nicenames = _Names(directory.nicenames, [user.nicename for user in own], server)
    placements: list[Placement] = []
    for user in everybody:
        if user.id in merged:
            reason = "same e-mail address as an earlier store's user"
            placements.append(Placement(user.id, merged[user.id], True, "", "", reason))
            continue
        login, nicename = logins.free(user.login), nicenames.free(user.nicename)
        if login != user.login or nicename != user.nicename:
            reason = "login or nicename is taken by another person of an earlier store"
            placements.append(Placement(user.id, base + user.id, False, login, nicename, reason))
    enter(everybody, placements, directory, base=base)
    return placements


def enter(users: Iterable[SourceUser], placements: Iterable[Placement], directory: Directory, *, base: int) -> None:
    """Enters one server's users in the directory, by decisions that were made (and perhaps written) before."""
    decided = {one.source_id: one for one in placements}
    for user in sorted(users, key=lambda one: one.id):
        known = decided.get(user.id)
        if known is not None and known.merged:
            continue
        directory.logins.add(login_key(known.login if known else user.login))
        directory.nicenames.add(login_key(known.nicename if known else user.nicename))
        if key := email_key(user.email):
            directory.emails.setdefault(key, base + user.id)


def _merges(users: Iterable[SourceUser], emails: Mapping[str, int]) -> dict[int, int]:
    """Source ID -> the earlier person's ID; of several users with one address, the first."""
    merged: dict[int, int] = {}
    taken: set[int] = set()
    for user in users:
        key = email_key(user.email)
        person = emails.get(key) if key else None
        if person is not None and person not in taken:
            merged[user.id] = person
            taken.add(person)
    return merged


class _Names:
    """Finds names that nobody has. `taken` are other servers' keys; `own` the names of this server's users."""

    def __init__(self, taken: set[str], own: Iterable[str], server: str) -> None:
        self._taken = frozenset(taken)
        self._all = {*taken, *(login_key(name) for name in own)}
        self._suffix = re.sub(r"[^a-z0-9]", "", server.lower())[:20] or "moved"

    def free(self, name: str) -> str:
        if login_key(name) not in self._taken:
            return name
        stem = name[: _NAME_LIMIT - len(self._suffix) - 6]
        candidate, number = f"{stem}-{self._suffix}".strip(" -"), 2
        while login_key(candidate) in self._all:
            candidate, number = f"{stem}-{self._suffix}{number}", number + 1
        self._all.add(login_key(candidate))
        return candidate
