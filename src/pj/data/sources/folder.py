"""A user's own images in class folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pj.config.types import Channels, Count
from pj.data.store import DataError, Dataset, checked
from pj.randomness import derive


def read(path: str, image_size: Count = 32, channels: Channels = 3) -> Dataset:
    """Return path/train/<class>/* and path/test/<class>/*, converted and resized.

    Args:
        path: of the folder, relative to where Snakemake is called.
        image_size: pixels per side, to which images are resized.
        channels: 1 (grey) or 3 (colour).

    """
    from PIL import Image
    from torchvision.datasets import ImageFolder

    arrays = {}
    names: dict[str, list[str]] = {}
    mode, size = ("RGB" if channels == 3 else "L"), (image_size, image_size)
    for part in ("train", "test"):
        try:
            listing = ImageFolder(Path(path) / part)
        except OSError as error:
            raise DataError(f"{path}/{part}: {error}; needed: one folder of images per class") from error
        names[part] = listing.classes
        images = []
        for file, _ in listing.samples:
            try:
                with Image.open(file) as image:
                    images.append(np.asarray(image.convert(mode).resize(size, Image.Resampling.BILINEAR)))
            except Exception as error:  # a damaged image fails in as many ways as there are formats
                raise DataError(f"{file} cannot be read as an image: {error}") from error
        # files come class by class, and splits go by position
        order = np.random.default_rng(derive(0, "folder", part)).permutation(len(images))
        arrays[f"x_{part}"] = np.stack(images)[order]
        arrays[f"y_{part}"] = np.asarray(listing.targets)[order]
    if names["train"] != names["test"]:
        raise DataError(f"{path}: train has the classes {names['train']}, test has {names['test']}")
    return checked(arrays, len(names["train"]), path)
