"""scikit-learn's embedded digits, enlarged: real images that need no file."""

from __future__ import annotations

import numpy as np

from pj.config.settings import DigitsSource
from pj.data.store import Dataset, checked

TRAIN = 1437  # of 1,797 images


def read(source: DigitsSource) -> Dataset:
    """Return the digits at the size and with the channels asked for."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    size = (source.image_size, source.image_size)
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)
    large = np.stack([np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BILINEAR)) for i in small])
    images = np.repeat(large[..., None], source.channels, axis=3)
    arrays = {"x_train": images[:TRAIN], "y_train": digits.target[:TRAIN]}
    arrays |= {"x_test": images[TRAIN:], "y_test": digits.target[TRAIN:]}
    return checked(arrays, 10, "digits")
