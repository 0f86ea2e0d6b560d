"""Pictures compared: against the rule written out plainly, pixel by pixel, and what is masked and marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crossdock.move import pictures
from crossdock.move.pictures import Mask, Pixels

SMALL = arrays(np.uint8, st.tuples(st.integers(1, 9), st.just(7), st.just(3)))


def differs(one: Any, other: Any) -> bool:
    """pixelmatch's colorDelta, as its README has it, at its own threshold."""
    red, green, blue = (float(a) - float(b) for a, b in zip(one, other, strict=True))
    y = red * 0.29889531 + green * 0.58662247 + blue * 0.11448223
    i = red * 0.59597799 - green * 0.27417610 - blue * 0.32180189
    q = red * 0.21147017 - green * 0.52261711 + blue * 0.31114694
    return 0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q > 35215 * 0.1 * 0.1


@settings(max_examples=60, deadline=None)
@given(SMALL, SMALL)
def test_each_pixel_is_compared_as_the_rule_says(one: Pixels, other: Pixels) -> None:
    found = pictures.differing(one, other)
    rows = min(len(one), len(other))
    expected = [[differs(one[y, x], other[y, x]) for x in range(7)] for y in range(rows)]
    assert found[:rows].tolist() == expected
    assert found[rows:].all()
    assert len(found) == max(len(one), len(other))


@settings(max_examples=30, deadline=None)
@given(SMALL)
def test_a_picture_is_like_itself(one: Pixels) -> None:
    assert pictures.compare(one, one).share == 0
    assert not pictures.unsteady(one, one).any()


def plain(height: int, width: int = 100) -> Pixels:
    return np.full((height, width, 3), 240, dtype=np.uint8)


def test_the_share_is_of_what_was_compared() -> None:
    source, target = plain(100), plain(100)
    target[:10] = 0
    assert pictures.compare(source, target).share == pytest.approx(0.1)
    masked: Mask = np.zeros((100, 100), dtype=np.bool_)
    masked[50:] = True
    found = pictures.compare(source, target, masked)
    assert found.share == pytest.approx(0.2)
    assert found.masked_share == pytest.approx(0.5)


def test_a_longer_page_differs_where_only_it_is() -> None:
    found = pictures.compare(plain(100), plain(150))
    assert found.share == pytest.approx(1 / 3)
    assert found.different[100:].all()
    assert not found.different[:100].any()


def test_what_differs_from_itself_is_masked_with_its_surroundings_and_no_more() -> None:
    first, second = plain(200, 200), plain(200, 200)
    second[100, 100] = 0
    mask = pictures.unsteady(first, second)
    assert mask[96:112, 96:112].all()
    assert mask[80, 80]
    assert int(mask.sum()) == 48 * 48
    target = plain(200, 200)
    target[100, 100] = 0
    assert pictures.compare(first, target, mask).share == 0


def test_masks_of_different_heights_unite() -> None:
    one: Mask = np.ones((2, 4), dtype=np.bool_)
    other: Mask = np.zeros((5, 4), dtype=np.bool_)
    other[4] = True
    assert pictures.united(one, other).any(axis=1).tolist() == [True, True, False, False, True]


def test_the_third_picture_shows_differences_in_red_and_the_masked_in_blue() -> None:
    source, target = plain(64, 64), plain(64, 64)
    target[:8] = 0
    mask: Mask = np.zeros((64, 64), dtype=np.bool_)
    mask[32:48] = True
    shown = pictures.marked(target, pictures.compare(source, target, mask))
    assert (shown[:8] == (214, 40, 57)).all()
    assert (shown[32:48] == (176, 196, 222)).all(axis=2).mean() == pytest.approx(3 / 8, abs=0.05)
    assert (shown[10:30].min(), shown.shape) == (shown[10:30].max(), (64, 64, 3))
