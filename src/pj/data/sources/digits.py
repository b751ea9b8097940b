"""scikit-learn's built-in digits, enlarged: real images that need no file."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from pj.config.types import Channels
from pj.data.store import Dataset, checked

TRAIN = 1437  # of 1,797 images


def read(image_size: Annotated[int, Field(ge=8, le=64)] = 32, channels: Channels = 3) -> Dataset:
    """Return scikit-learn's 1,797 digits of 8x8 pixels, or enlarged; the only source that needs no file.

    Args:
        image_size: pixels per side.
        channels: 1 (grey) or 3 (three equal channels).

    """
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    size = (image_size, image_size)
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)
    large = np.stack([np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BILINEAR)) for i in small])
    images = np.repeat(large[..., None], channels, axis=3)
    arrays = {"x_train": images[:TRAIN], "y_train": digits.target[:TRAIN]}
    arrays |= {"x_test": images[TRAIN:], "y_test": digits.target[TRAIN:]}
    return checked(arrays, [str(digit) for digit in range(10)], "digits")
