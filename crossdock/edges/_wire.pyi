from collections.abc import Sequence
from typing import Any

from crossdock.core.tables import Row

def encoded(rows: Sequence[Row]) -> bytes: ...
def fetch(result: Any, most_rows: int, most_bytes: int) -> list[Row]: ...
