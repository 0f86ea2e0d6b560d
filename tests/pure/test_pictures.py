"""Pictures compared pixel by pixel, against pixelmatch's own formula written down plainly, and what is masked."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.move import pictures
from crossdock.move.pictures import Pixels


def picture(height: int, width: int, colour: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    made = np.empty((height, width, 3), dtype=np.uint8)
    made[:] = colour
    return made


def yiq_differs(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """pixelmatch's colorDelta for opaque colours, with its threshold of 0.1."""

    def yiq(r: float, g: float, b: float) -> tuple[float, float, float]:
        return (
            r * 0.29889531 + g * 0.58662247 + b * 0.11448223,
            r * 0.59597799 - g * 0.27417610 - b * 0.32180189,
            r * 0.21147017 - g * 0.52261711 + b * 0.31114694,
        )

    y, i, q = (a - b for a, b in zip(yiq(*one), yiq(*other), strict=True))
    return 0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q > 35215 * 0.1 * 0.1


colours = st.tuples(*[st.integers(0, 255)] * 3)


@settings(max_examples=200)
@given(colours, colours)
def test_a_pixel_differs_where_pixelmatch_says_so(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    found = pictures.differing(picture(1, 1, one), picture(1, 1, other))
    assert bool(found[0, 0]) == yiq_differs(one, other)


@settings(max_examples=50)
@given(st.integers(1, 600), st.integers(1, 40), st.integers(1, 600), st.integers(1, 40))
def test_what_only_one_picture_has_differs(height: int, width: int, other_height: int, other_width: int) -> None:
    found = pictures.compare(picture(height, width), picture(other_height, other_width))
    shared = min(height, other_height) * min(width, other_width)
    whole = max(height, other_height) * max(width, other_width)
    assert found.different.shape == (max(height, other_height), max(width, other_width))
    assert int(found.different.sum()) == whole - shared
    assert found.share == (whole - shared) / whole


def test_equal_pictures_do_not_differ_and_one_pixel_is_found() -> None:
    one = picture(1000, 300, (200, 30, 30))
    other = one.copy()
    assert pictures.compare(one, other).share == 0
    other[700, 299] = (20, 30, 200)
    found = pictures.compare(one, other)
    assert (found.share, np.argwhere(found.different).tolist()) == (1 / 300_000, [[700, 299]])


def test_what_differs_from_itself_is_masked_with_its_surroundings_and_nothing_else() -> None:
    first = picture(200, 200)
    second = first.copy()
    second[100:104, 100:104] = 0  # an advertisement that changes
    target = first.copy()
    target[100:104, 100:104] = (0, 0, 255)
    target[0, 0] = 0  # and a real difference
    masked = pictures.united(pictures.unsteady(first, second), pictures.unsteady(target, target))
    found = pictures.compare(second, target, masked)
    assert np.argwhere(found.different).tolist() == [[0, 0]]
    assert 0 < found.masked_share < 0.1
    assert found.share == 1 / (200 * 200 - int(masked.sum()))


def test_a_picture_that_is_masked_whole_differs_nowhere() -> None:
    first, second = picture(40, 40), picture(40, 40, (0, 0, 0))
    found = pictures.compare(first, second, pictures.unsteady(first, second))
    assert (found.share, found.masked_share) == (0, 1)


def test_the_marked_picture_shows_differences_over_the_pale_target() -> None:
    source, target = picture(50, 50, (0, 0, 0)), picture(60, 50, (0, 0, 0))
    target[10, 10] = 255
    made = pictures.marked(target, pictures.compare(source, target))
    assert made.shape == (60, 50, 3)
    red = made[10, 10].tolist()
    assert made[55, 20].tolist() == red
    assert made[0, 0].tolist() == [192, 192, 192]
