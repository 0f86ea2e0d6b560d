from collections.abc import Callable, Mapping, Sequence

from crossdock.wordpress.nesting import Change, Edit

NAME_BYTES: frozenset[int]

class Needle:
    text: bytes
    def __init__(self, text: bytes) -> None: ...

def hits(values: Sequence[bytes | None], needles: tuple[Needle, ...]) -> list[int]: ...
def host_edits(
    value: bytes,
    needle: Needle,
    before: int,
    known: Mapping[bytes, tuple[int, Change | None, tuple[bytes, ...], Change | None, bytes]],
    look: Callable[[bytes, int], Edit | None],
) -> list[Edit]: ...
def path_places(
    value: bytes, probes: tuple[Needle, ...], plain: bytes, escaped: bytes, encoded: Needle
) -> list[int]: ...
def may_hold_lengths(value: bytes) -> bool: ...
def applied(value: bytes, edits: list[Edit] | list[tuple[int, int, tuple[bytes]]]) -> bytes: ...
def scan(
    data: bytes, start: int, end: int, points: list[int] | None
) -> tuple[int, list[tuple[str, int, int, int, int, bool]]] | None: ...
