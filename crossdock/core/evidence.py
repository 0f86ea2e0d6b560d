"""Findings and receipts: the only things gates and reports read."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import rfc8785

Json = dict[str, Any]
GENESIS = "0" * 64


class Level(StrEnum):
    """What a finding does to the gates: a block stops, a fail is a red check, a warn and an info are only told."""

    BLOCK = "block"
    FAIL = "fail"
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """One thing found. `code` is stable (`table.unknown`), `place` says where, `way_out` what a person can do.

    Holds keys, counts and hashes, never personal data.
    """

    code: str
    level: Level
    place: str
    text: str
    way_out: str = ""
    data: Json = field(default_factory=dict)

    def as_json(self) -> Json:
        return {**asdict(self), "level": str(self.level)}


@dataclass(frozen=True)
class Receipt:
    """A step that was done. `digest` = SHA-256 of the canonical JSON (RFC 8785) of all else, `previous` included."""

    number: int
    run: str
    step: str
    subject: str
    at: str
    data: Json
    previous: str
    digest: str

    def content(self) -> Json:
        """Everything the digest covers."""
        body = asdict(self)
        del body["digest"]
        return body


def canonical(value: Any) -> bytes:
    """Canonical JSON after RFC 8785."""
    return rfc8785.dumps(value)


def digest_of(value: Any) -> str:
    """SHA-256, hexadecimal, of the canonical JSON of `value`."""
    return hashlib.sha256(canonical(value)).hexdigest()
