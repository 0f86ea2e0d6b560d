"""A dump whose triggers, routines, events and views belong to whoever loads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Values never begin a line with this: both dump programs write their line breaks as escapes.
_DEFINER = re.compile(
    rb"\n((?:/\*!500(?:03|20) CREATE\*/ /\*!500(?:17|20) |/\*!50106 CREATE\*/ /\*!50117 |/\*!50013 |CREATE ))"
    rb"DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*`"
)
_LONGEST_HEAD = 4096


def without_definers(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The dump without its DEFINER clauses: an account that may not speak for others can load it, and nothing in it
    waits for an account that the new server does not know."""
    held = b""
    for piece in pieces:
        held += piece
        cut = held.rfind(b"\n")
        if cut < 0 or len(held) - cut > _LONGEST_HEAD:
            cut = len(held)
        yield _DEFINER.sub(rb"\n\1", held[:cut])
        held = held[cut:]
    yield _DEFINER.sub(rb"\n\1", held)
