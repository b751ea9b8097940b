"""A user's own images in class folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pj.config.types import Channels, Count
from pj.data import listing, pixels
from pj.data.store import DataError, Dataset, checked, mixed
from pj.durations import counted


def read(path: str, image_size: Count = 32, channels: Channels = 3) -> Dataset:
    """Return the images below path/train/CLASS and path/test/CLASS, upright, square and resized.

    Args:
        path: of the folder, relative to where Snakemake is called.
        image_size: pixels per side, to which images are resized.
        channels: 1 (grey) or 3 (colour).

    """
    arrays: dict[str, NDArray[Any]] = {}
    notes: list[str] = []
    names: dict[str, list[str]] = {}
    for part in listing.PARTS:
        found = listing.images(Path(path), part)
        if not found.files:
            there = "has no image" if (Path(path) / part).is_dir() else "is no folder"
            raise DataError(f"{path}/{part} {there}; needed: {path}/{part}/<class>/*, one folder per class")
        if empty := [name for name, files in found.classes.items() if not files]:
            raise DataError(f"{path}/{part}: no image in {', '.join(empty)}; remove what is no class")
        seen = pixels.Seen()
        arrays[f"x_{part}"] = np.stack(
            [pixels.read(file, image_size, channels, seen) for file, _ in found.files]
        )
        if seen[pixels.WIDE_IMAGES] and seen.largest < pixels.LEAST:
            raise DataError(
                f"{path}/{part}: {seen[pixels.WIDE_IMAGES]} images of 16 bits have no value above "
                f"{seen.largest}, so they would be almost black; scale them to 0…65535, or save as 8 bits"
            )
        arrays[f"y_{part}"] = np.array([label for _, label in found.files])
        names[part] = list(found.classes)
        notes += [f"{path}/{part}: {counted(n, 'image')} {what}" for what, n in seen.items() if n]
        skipped = found.skipped.items()
        notes += [f"{path}/{part}: {counted(n, 'file')} {what} left out" for what, n in skipped]
    if names["train"] != names["test"]:
        raise DataError(f"{path}: train has the classes {names['train']}, test has {names['test']}")
    return mixed(checked(arrays, names["train"], path, notes), "folder")
