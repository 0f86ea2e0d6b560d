"""Who becomes whom: the users of several installations in one network.

A user's target ID is the server's base + the source ID, unless the policy merges two people by e-mail. The decision is
made once for each person; a later change of an e-mail address never merges again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


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
    """WordPress compares logins by the column's collation, which ignores case and trailing space."""
    return login.strip().lower()


def place(
    users: Iterable[SourceUser], directory: Directory, *, server: str, base: int, headroom: int, merge: bool
) -> list[Placement]:
    """Places one server's users, in ID order, and enters them in the directory. Raises ValueError beyond the headroom.

    Only exceptions are returned: merged and renamed users. Two users of one server are never merged with each other
    (wc_customer_lookup.user_id is unique), even when their addresses are equal.
    """
    before = dict(directory.emails)
    taken_here: set[int] = set()
    placements: list[Placement] = []
    for user in sorted(users, key=lambda one: one.id):
        if user.id >= headroom:
            raise ValueError(f"user {user.id} lies beyond the headroom of {headroom} IDs for a server")
        key = email_key(user.email)
        person = before.get(key) if merge and key else None
        if person is not None and person not in taken_here:
            taken_here.add(person)
            placements.append(Placement(user.id, person, True, "", "", "same e-mail address as an earlier store's user"))
            continue
        target_id = base + user.id
        login = _free(user.login, directory.logins, server)
        nicename = _free(user.nicename, directory.nicenames, server)
        directory.logins.add(login_key(login))
        directory.nicenames.add(login_key(nicename))
        if key:
            directory.emails.setdefault(key, target_id)
        if login != user.login or nicename != user.nicename:
            reason = "login or nicename is taken by another person of an earlier store"
            placements.append(Placement(user.id, target_id, False, login, nicename, reason))
    return placements


def _free(name: str, taken: set[str], server: str) -> str:
    if login_key(name) not in taken:
        return name
    suffix = re.sub(r"[^a-z0-9]", "", server.lower())
    stem = name[: 50 - len(suffix) - 5]
    candidate = f"{stem}-{suffix}"
    number = 2
    while login_key(candidate) in taken:
        candidate = f"{stem}-{suffix}{number}"
        number += 1
    return candidate
