"""One image file as pixels, as a viewer shows it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pj.data.store import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

ORIENTATION, UPRIGHT = 274, 1  # an EXIF tag, and its value for an image that is stored as it is shown
WIDE, FULL = 65535, 255  # the largest values of 16 and 8 bits
LEAST = 4096  # what the largest of all 16-bit values must reach: below, they are 8 or 12 bits in a wider file
WIDE_IMAGES = "of 16 bits: scaled to 8"


class Seen(Counter[str]):
    """What had to be changed about images, and how often; and the largest value in those of 16 bits."""

    largest = 0


def read(path: Path, side: int, channels: int, seen: Seen) -> NDArray[np.uint8]:
    """Return an image as uint8 [side, side] or [side, side, 3]; count in ``seen`` what had to be changed.

    It is turned as its EXIF tag says, put on white where it is transparent, scaled from 16 bits, cut to its
    central square and resized. DataError for a file that holds no image, or whose values have no known range.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            frames = getattr(opened, "n_frames", 1)
            opened.load()
            image = ImageOps.exif_transpose(opened)
        seen["turned upright by their EXIF tag"] += opened.getexif().get(ORIENTATION, UPRIGHT) != UPRIGHT
        seen["animated or of several pages: the first is used"] += frames > 1
        square = _square(_shown(image, seen), seen).convert("RGB" if channels == 3 else "L")
        return np.asarray(square.resize((side, side), Image.Resampling.BILINEAR))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a damaged image fails in as many ways as there are formats
        raise DataError(f"{path} cannot be read as an image: {error}") from error


def _shown(image: Image, seen: Seen) -> Image:
    """Return an image of 8 bits without transparency."""
    from PIL import Image as PillowImage

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        pixels = _eight_bits(values)
        if values.dtype.kind != "f":
            seen[WIDE_IMAGES] += 1
            seen.largest = max(seen.largest, int(values.max()))
        return PillowImage.fromarray(pixels)
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        seen["transparent: put on white"] += np.asarray(image)[..., 3].min() < FULL
        white = PillowImage.new("RGBA", image.size, "white")
        return PillowImage.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB") if image.mode == "P" else image


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return grey values of 16 bits, or floats in [0, 1], in 0…255."""
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.asarray(np.round(values.astype(np.float64) * FULL), np.uint8)
    if values.dtype.kind in "iu" and low >= 0 and high <= WIDE:
        return np.asarray(np.round(values / (WIDE / FULL)), np.uint8)
    raise DataError(
        f"its values run from {low:g} to {high:g}; allowed: 8 or 16 bits per channel, or floats in [0, 1]"
    )


def _square(image: Image, seen: Seen) -> Image:
    """Return the central square of an image."""
    width, height = image.size
    if width == height:
        return image
    seen["not square: cut to the central square"] += 1
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))
