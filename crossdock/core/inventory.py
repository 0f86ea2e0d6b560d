"""What lives on a source server, and where each of it goes: nothing that was found is forgotten."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal

from crossdock.core.evidence import Json


@dataclass(frozen=True)
class Item:
    """One thing that was found on a server. `kind` in the singular (disk, volume, port, vhost, timer, plugin, ...);
    `name` is unique among its kind on the server; `text` one line for a person; `data` never holds personal data or a
    secret."""

    kind: str
    server: str
    name: str
    text: str
    data: Json = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name under [decisions]: kind:server:name."""
        return f"{self.kind}:{self.server}:{self.name}"

    def as_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True)
class Destination:
    """Where an item goes. `by` is the person who decided, or `crossdock` where a rule of ours says so; `reason` why.

    kept and moved: it is at the target after the move; replaced: something else does its work there; ends: it goes with
    its server, as what every server has; dropped: nobody needs it; open: nobody has said so yet, which blocks.
    """

    choice: Literal["kept", "moved", "replaced", "ends", "dropped", "open"]
    by: str = ""
    reason: str = ""
