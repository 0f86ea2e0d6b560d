"""Roles, and how often a sign-in may be tried. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
from enum import StrEnum


class Role(StrEnum):
    OPERATOR = "operator"
    QA = "qa"
    CLIENT_IT = "client-it"
    CLIENT_OWNER = "client-owner"
    SALES = "sales"
    TRANSLATOR = "translator"
    CUSTOMER = "customer"


# In place of roles: people who have not signed in, too.
ANYBODY = "anybody"
# Who sees what of the move. Translators and customers have no staff page at all.
PROJECT = (Role.OPERATOR, Role.QA, Role.CLIENT_IT, Role.CLIENT_OWNER, Role.SALES)
EVIDENCE = (Role.OPERATOR, Role.QA, Role.CLIENT_IT, Role.CLIENT_OWNER)
WORK = (Role.OPERATOR, Role.QA, Role.CLIENT_IT)

WINDOW_SECONDS = 900
# An office shares one address; an account has one owner.
ACCOUNT_TRIES = 8
ADDRESS_TRIES = 30


def tries_allowed(key: str) -> int:
    """Failed sign-ins of a key that are let through in WINDOW_SECONDS."""
    return ACCOUNT_TRIES if key.startswith("account:") else ADDRESS_TRIES


def throttle_keys(email: str, address: str) -> tuple[str, str]:
    """What tries are counted by. The e-mail address is not kept: whoever mistypes puts a password there."""
    return f"account:{hashlib.sha256(email.lower().encode()).hexdigest()[:32]}", f"address:{network_of(address)}"


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: whoever has one of those addresses has them all."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def client_address(remote: str, forwarded: str, *, proxied: bool) -> str:
    """Who asks. Behind a proxy of this machine, the last address that it added; what a client claims is never
    believed."""
    try:
        local = ipaddress.ip_address(remote).is_loopback
    except ValueError:
        local = True
    last = forwarded.rpartition(",")[2].strip()
    return last if proxied and local and last else remote
