"""A dataset as one file: uint8 images, labels and what they are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pj.errors import UserError
from pj.files import replaced

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class DataError(UserError):
    """Data that cannot be used, and why."""


@dataclass(frozen=True)
class Dataset:
    """Images uint8 [N, H, W, C] and labels int64 [N], training and test, in the source's order."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    classes: int
    sha256: str

    @property
    def channels(self) -> int:
        """Colour channels, 1 or 3."""
        return self.x_train.shape[3]

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        return self.x_train.shape[1]


def checked(arrays: dict[str, NDArray[Any]], classes: int, name: str) -> Dataset:
    """Return arrays as a dataset; DataError names the first that is missing or has a wrong type or shape."""
    missing = [key for key in ARRAYS if key not in arrays]
    if missing:
        raise DataError(f"{name}: lacks {', '.join(missing)}; needed: {', '.join(ARRAYS)}")
    fitting: dict[str, NDArray[Any]] = {}
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.ndim == 3:
            x = x[..., None]
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[1] != x.shape[2] or x.shape[3] not in (1, 3):
            raise DataError(
                f"{name}: x_{part} is {x.dtype} {list(x.shape)}; needed: uint8 [N, H, W] or [N, H, W, C] "
                "with H = W and C = 1 or 3"
            )
        y = y.reshape(-1) if y.shape == (len(x), 1) else y  # Keras keeps CIFAR's labels as a column
        if y.dtype.kind not in "iu" or y.shape != (len(x),) or len(x) == 0:
            raise DataError(
                f"{name}: y_{part} is {y.dtype} {list(y.shape)}; needed: integers, one for each "
                f"of the {len(x)} images of x_{part} (and at least one)"
            )
        if y.min() < 0 or y.max() >= classes:
            raise DataError(
                f"{name}: labels of y_{part} run from {y.min()} to {y.max()}; allowed: 0 to {classes - 1}"
            )
        fitting |= {f"x_{part}": np.ascontiguousarray(x), f"y_{part}": y.astype(np.int64)}
    if fitting["x_train"].shape[1:] != fitting["x_test"].shape[1:]:
        raise DataError(f"{name}: training and test images differ in shape")
    digest = hashlib.sha256()
    for key in ARRAYS:
        digest.update(f"{key}{fitting[key].shape}".encode())
        digest.update(fitting[key].data)
    return Dataset(**fitting, classes=classes, sha256=digest.hexdigest())


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset atomically, so that two jobs at once leave one complete file."""
    meta = json.dumps({"classes": dataset.classes, "sha256": dataset.sha256})
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{key: getattr(dataset, key) for key in ARRAYS}, meta=np.array(meta))


def load(path: Path) -> Dataset:
    """Read what `save` wrote. The archive's checksums are verified while reading; DataError if they fail."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            meta = json.loads(str(archive["meta"]))
            return Dataset(**{key: archive[key] for key in ARRAYS}, **meta)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; create it with `snakemake --cores 1 {path}`") from None
    except Exception as error:  # a damaged archive fails in zipfile, zlib, tokenize, …
        raise DataError(
            f"{path} is damaged ({error}); delete it and create it again with `snakemake --cores 1 {path}`"
        ) from error
