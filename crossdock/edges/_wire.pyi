from collections.abc import Sequence

from crossdock.core.tables import Row

def encoded(rows: Sequence[Row]) -> bytes: ...
