"""Pictures of each store's key pages, source beside target: which are taken, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.move import pages
from crossdock.move.site_facts import SiteFacts

WIDTHS = (390, 1280)  # a phone and a desk, CSS pixels
SIDES = ("source", "target")
# What shoppers see most, first: with fewer pages the last are left out.
_ORDER = ("home", "product", "category", "page", "post", "cart", "checkout", "myaccount")


@dataclass(frozen=True)
class View:
    """One page of one store at one width, by its address on both sides."""

    store: str
    page: str
    width: int
    source_url: str
    target_url: str

    @property
    def key(self) -> str:
        """Its name, and the beginning of its files' names."""
        return f"{self.store}-{self.page}-{self.width}"

    def url(self, side: str) -> str:
        return self.source_url if side == "source" else self.target_url


@dataclass(frozen=True)
class Picture:
    """A kept picture: its file's name, SHA-256, width and height in pixels."""

    file: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class Seen:
    """What came of one view. `pictures` by source, target and difference; percents of pixels; `heights`: the whole
    pages', which may be more than a picture holds; `unsettled` and `failed` say why, by side."""

    store: str
    page: str
    width: int
    source_url: str
    target_url: str
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    different_percent: float = 0.0
    masked_percent: float = 0.0
    heights: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, int] = field(default_factory=dict)
    blocked: Mapping[str, int] = field(default_factory=dict)
    unsettled: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.store}, {self.page} at {self.width} px: {self.target_url}"

    @property
    def is_whole(self) -> bool:
        return not self.failed

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Seen:
        """The opposite of `as_json`. Errors: TypeError, AttributeError for something else."""
        pictures = {side: Picture(**one) for side, one in data["pictures"].items()}
        return cls(**{**data, "pictures": pictures})


def key_views(facts: SiteFacts, most_pages: int) -> list[View]:
    """Each store's key pages at each width: those that check_pages compares, the most looked at first.

    Errors: CrossdockError when no store's source tells its pages.
    """
    found = []
    for place in facts.stores:
        known = pages.addresses(place)
        for name in sorted(known, key=_ORDER.index)[:most_pages]:
            there = place.mapped(known[name])
            found += [View(place.store.store, name, width, known[name], there) for width in WIDTHS]
    if not found:
        raise CrossdockError("no page is known", way_out="crossdock move check tells why WordPress does not answer")
    return found


def findings(seen: Sequence[Seen], differ_percent: float) -> Iterator[Finding]:
    """What a person should look at."""
    for one in seen:
        for side, why in one.failed.items():
            way_out = "take the pictures again; where it stays, open the page in a browser"
            yield Finding("screenshot.failed", Level.FAIL, one.place, f"no picture of the {side}: {why}", way_out)
        for side, why in one.unsettled.items():
            way_out = "the picture was taken all the same; more time: [policies.screenshots] settle_seconds"
            text = f"the {side} did not come to rest: {why}"
            yield Finding("screenshot.unsettled", Level.WARN, one.place, text, way_out)
        if one.is_whole:
            yield from _compared(one, differ_percent)


def _compared(one: Seen, differ_percent: float) -> Iterator[Finding]:
    if one.different_percent > differ_percent:
        text = f"{one.different_percent:.2f} % of the pixels differ from the source"
        way_out = "look at the pictures, side by side in the report: crossdock move report"
        yield Finding("screenshot.differs", Level.WARN, one.place, text, way_out, {"percent": one.different_percent})
    more = one.broken.get("target", 0) - one.broken.get("source", 0)
    if more > 0:
        text = f"{more} images are broken that the source shows"
        yield Finding("screenshot.image-broken", Level.WARN, one.place, text, "look at the page", {"images": more})


def figures(seen: Sequence[Seen], found: Sequence[Finding]) -> dict[str, int]:
    """The counts of the receipt."""
    codes = [one.code for one in found]
    return {
        "pairs": len(seen),
        "pictures": sum(len(one.pictures) for one in seen),
        "differing": codes.count("screenshot.differs"),
        "unsettled": codes.count("screenshot.unsettled"),
        "failed": codes.count("screenshot.failed"),
    }
