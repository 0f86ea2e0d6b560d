from collections.abc import Sequence

from crossdock.wordpress._native import Needle
from crossdock.wordpress.nesting import Edit

MORE: int
END: int
BAD: int
TEXT: int
BINARY: int
HEX: int
ODD: int

class Scanner:
    backslash: bool
    rows: int
    at: int
    begin: int
    fault: str
    delimiter: bytes
    def __init__(self, needles: tuple[Needle, ...]) -> None: ...
    @property
    def is_in_token(self) -> bool: ...
    def begin_rows(self, head: bytes) -> None: ...
    def begin_other(self, *, unit: bool, compound: bool) -> None: ...
    def run(
        self, data: bytes, at: int, final: bool, begin: int = 0
    ) -> tuple[int, list[tuple[int, int, int, int, int]]]: ...

def unescaped(data: bytes, start: int, end: int, backslash: bool) -> bytes: ...
def placed(
    data: bytes, start: int, end: int, backslash: bool, edits: Sequence[Edit]
) -> list[tuple[int, int, tuple[bytes]]]: ...
