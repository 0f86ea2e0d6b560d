"""How much of each thing a store holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Counts for one store. `paragraphs` is the length of a post; `visits` the rows of the plugin's bulk log table."""

    name: str
    posts: int
    pages: int
    media: int
    simple_products: int
    variable_products: int
    shoppers: int
    orders: int
    comments: int
    actions: int
    sessions: int
    visits: int
    paragraphs: int


SIZES = {
    "tiny": Size("tiny", 5, 2, 2, 4, 1, 4, 8, 4, 4, 3, 6, 2),
    "small": Size("small", 90, 12, 40, 50, 12, 80, 190, 150, 200, 40, 600, 4),
    "medium": Size("medium", 1_500, 60, 600, 700, 150, 1_400, 2_700, 3_000, 4_000, 400, 12_000, 6),
    "large": Size("large", 16_000, 200, 2_000, 3_000, 600, 7_000, 14_000, 20_000, 30_000, 3_000, 500_000, 12),
}


def size_of(size: str | Size) -> Size:
    """Raises KeyError for a name that is none of tiny, small, medium, large."""
    return size if isinstance(size, Size) else SIZES[size]
