"""Pictures as files: PNG for what is kept, JPEG for what is shown small."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from crossdock.core.errors import CrossdockError

_QUALITY = 72


def pixels(png: bytes) -> NDArray[np.uint8]:
    """The picture as an array of (height, width, 3)."""
    return np.asarray(_opened(png).convert("RGB"))


def png(shown: NDArray[np.uint8]) -> bytes:
    """The array as a PNG."""
    out = io.BytesIO()
    # Level 1: a picture of nine megapixels takes a fifth of a second, and two without colour are hardly larger.
    Image.fromarray(shown).save(out, "PNG", compress_level=1)
    return out.getvalue()


def small(png: bytes, width: int, most_height: int) -> tuple[bytes, int, int]:
    """A JPEG of the picture's upper part, at most this wide and high; with its width and height."""
    picture = _opened(png).convert("RGB")
    width = min(width, picture.width)
    whole = max(round(picture.height * width / picture.width), 1)
    if whole > most_height:
        picture = picture.crop((0, 0, picture.width, round(picture.width * most_height / width)))
    height = min(whole, most_height)
    out = io.BytesIO()
    picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3).save(
        out, "JPEG", quality=_QUALITY, optimize=True
    )
    return out.getvalue(), width, height


def _opened(png: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(png), formats=["PNG"])
        picture.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise CrossdockError(f"is no picture that can be read: {error}", way_out="take the pictures again") from error
    return picture
