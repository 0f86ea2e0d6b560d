"""Compares two pictures pixel by pixel, as an eye would: by the distance of two colours in YIQ. Pure, on numpy arrays.

Pixels are uint8 arrays of shape (height, width, 3); masks are bool arrays of shape (height, width).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Kotsarenko and Ramos, "Measuring perceived color difference using YIQ": the largest distance that two colours have.
_LARGEST = 35215.0
_TO_YIQ = np.array(
    [
        [0.29889531, 0.58662247, 0.11448223],
        [0.59597799, -0.27417610, -0.32180189],
        [0.21147017, -0.52261711, 0.31114694],
    ],
    dtype=np.float32,
)
_WEIGHTS = np.array([0.5053, 0.299, 0.1957], dtype=np.float32)
_THRESHOLD = 0.1  # pixelmatch's own: what an eye sees
_BAND_ROWS = 256  # what fits into a processor's cache
_BLOCK = 16  # pixels: what differs from itself is masked with its surroundings
_RED = np.array([214, 40, 57], dtype=np.uint8)
_BLUE = np.array([176, 196, 222], dtype=np.uint8)


@dataclass(frozen=True)
class Comparison:
    """Two pictures compared. `share` of the compared pixels that differ, `masked_share` of all that were not compared;
    both from 0 to 1. Their shapes are those of the higher and the wider picture."""

    share: float
    masked_share: float
    different: Mask = field(repr=False)
    masked: Mask = field(repr=False)


def compare(source: Pixels, target: Pixels, masked: Mask | None = None) -> Comparison:
    """Compares but for what is masked. Where only one has a pixel, it differs."""
    different = differing(source, target)
    covered = np.zeros_like(different)
    if masked is not None:
        rows, columns = min(len(masked), len(covered)), min(masked.shape[1], covered.shape[1])
        covered[:rows, :columns] = masked[:rows, :columns]
    different &= ~covered
    left = different.size - int(covered.sum())
    share = int(different.sum()) / left if left else 0.0
    return Comparison(share, 1 - left / different.size if different.size else 0.0, different, covered)


def differing(one: Pixels, other: Pixels) -> Mask:
    """Where two pictures differ visibly, in the shape of both laid upon each other."""
    height, width = max(len(one), len(other)), max(one.shape[1], other.shape[1])
    found = np.ones((height, width), dtype=np.bool_)
    rows, columns = min(len(one), len(other)), min(one.shape[1], other.shape[1])
    for top in range(0, rows, _BAND_ROWS):
        band = slice(top, min(top + _BAND_ROWS, rows))
        found[band, :columns] = _band(one[band, :columns], other[band, :columns])
    return found


def _band(one: Pixels, other: Pixels) -> Mask:
    # Most pixels are the very same: only the others are worth a colour's distance.
    apart_in = one != other
    # Three times as fast as any(axis=2), whose axis is too short.
    unlike: Mask = apart_in[:, :, 0] | apart_in[:, :, 1] | apart_in[:, :, 2]
    if not unlike.any():
        return unlike
    apart = (one[unlike].astype(np.float32) - other[unlike].astype(np.float32)) @ _TO_YIQ.T
    unlike[unlike] = (apart * apart) @ _WEIGHTS > _LARGEST * _THRESHOLD * _THRESHOLD
    return unlike


def unsteady(first: Pixels, second: Pixels) -> Mask:
    """Where a page differs from itself, with the surroundings: blocks of 16 pixels, and those beside them."""
    return _spread(differing(first, second))


def united(one: Mask, other: Mask) -> Mask:
    """What either of two masks covers."""
    made = np.zeros(np.maximum(one.shape, other.shape), dtype=np.bool_)
    made[: len(one), : one.shape[1]] |= one
    made[: len(other), : other.shape[1]] |= other
    return made


def _spread(mask: Mask) -> Mask:
    if not mask.any():
        return mask
    height, width = mask.shape
    down, across = -(-height // _BLOCK), -(-width // _BLOCK)
    whole = np.zeros((down * _BLOCK, across * _BLOCK), dtype=np.bool_)
    whole[:height, :width] = mask
    blocks = np.pad(whole.reshape(down, _BLOCK, across, _BLOCK).any(axis=(1, 3)), 1)
    near = np.zeros((down, across), dtype=np.bool_)
    for y in range(3):
        for x in range(3):
            near |= blocks[y : y + down, x : x + across]
    return near.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[:height, :width]


def marked(target: Pixels, found: Comparison) -> Pixels:
    """The target's picture, pale, with what differs in red and what was not compared in hatched blue."""
    height, width = found.different.shape
    grey = np.full((height, width), 255, dtype=np.uint8)
    pale = (target.astype(np.uint16) @ np.array([77, 150, 29], dtype=np.uint16)) >> 8
    grey[: len(target), : target.shape[1]] = 255 - ((255 - pale) >> 2)
    made = np.repeat(grey[:, :, None], 3, axis=2)
    if found.masked.any():
        rows, columns = np.nonzero(found.masked)
        striped = (rows + columns) % 8 < 3
        made[rows[striped], columns[striped]] = _BLUE
    made[found.different] = _RED
    return made
