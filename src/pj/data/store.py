"""A dataset as one file: uint8 images, labels and what they are."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pj.data.listing import PARTS
from pj.errors import UserError
from pj.files import replaced

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class DataError(UserError):
    """Data that cannot be used, and why."""


@dataclass(frozen=True)
class Dataset:
    """Images uint8 [N, H, W, C] and labels int64 [N], training and test.

    ``names`` are the classes', ``notes`` say what had to be changed to read the source, ``orders`` hold the
    permutations that mixed its images, by part, ``made_from`` is
    the source's settings and a hash of its files.
    """

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    names: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...] = ()
    orders: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    made_from: dict[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.names)

    @property
    def channels(self) -> int:
        """Colour channels, 1 or 3."""
        return self.x_train.shape[3]

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        return self.x_train.shape[1]


def checked(
    arrays: Mapping[str, NDArray[Any]], classes: Sequence[str] | int, source: str, notes: Sequence[str] = ()
) -> Dataset:
    """Return arrays as a dataset; DataError for what cannot be learnt from.

    Args:
        arrays: images uint8 [N, H, W] or [N, H, W, C], labels [N], for training and test.
        classes: their names, or how many there are.
        source: what errors and notes name.
        notes: about reading it.

    """
    names = [str(k) for k in range(classes)] if isinstance(classes, int) else classes
    fitting: dict[str, NDArray[Any]] = {}
    notes, last = list(notes), len(names) - 1
    for part in PARTS:
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        x = x[..., None] if x.ndim == 3 else x
        if y.shape != (len(x),):
            raise DataError(
                f"{source}: y_{part} has {len(y)} labels; needed: one for each of {len(x)} images"
            )
        if y.min() < 0 or y.max() > last:
            raise DataError(
                f"{source}: labels of y_{part} run from {y.min()} to {y.max()}; allowed: 0 to {last}"
            )
        if x.min() == x.max():
            raise DataError(f"{source}: every pixel of x_{part} is {x.min()}")
        empty = [names[k] for k in range(len(names)) if not (y == k).any()]
        if empty:
            notes.append(f"{source}: no {part} image of {', '.join(empty)}")
        fitting |= {f"x_{part}": np.ascontiguousarray(x), f"y_{part}": y.astype(np.int64)}
    if len(names) < 2:
        raise DataError(f"{source}: one class, {names[0]}; needed: two or more")
    if fitting["x_train"].shape[1:] != fitting["x_test"].shape[1:]:
        shapes = " and ".join(str(list(fitting[f"x_{part}"].shape[1:])) for part in PARTS)
        raise DataError(f"{source}: training and test images differ in shape: {shapes}")
    x_train, y_train, x_test, y_test = (fitting[key] for key in ARRAYS)
    return Dataset(x_train, y_train, x_test, y_test, tuple(names), _hash(fitting), tuple(notes))


def _hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for key in ARRAYS:
        digest.update(f"{key}{arrays[key].shape}".encode())
        digest.update(arrays[key].data)
    return digest.hexdigest()


def mixed(dataset: Dataset, seed: str) -> Dataset:
    """Return a dataset in an order drawn from a fixed seed, since splits go by position."""
    from pj.randomness import derive  # loads torch

    orders = {
        part: np.random.default_rng(derive(0, seed, part)).permutation(len(getattr(dataset, f"y_{part}")))
        for part in PARTS
    }
    arrays = {key: getattr(dataset, key)[orders[key.split("_")[1]]] for key in ARRAYS}
    return replace(dataset, **arrays, sha256=_hash(arrays), orders=orders)


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset atomically, so that two jobs at once leave one complete file."""
    meta = {
        "names": dataset.names,
        "sha256": dataset.sha256,
        "notes": dataset.notes,
        "made_from": dataset.made_from,
    }
    arrays = {key: getattr(dataset, key) for key in ARRAYS}
    arrays |= {f"order_{part}": order for part, order in dataset.orders.items()}
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays, meta=np.array(json.dumps(meta)))


@dataclass(frozen=True)
class Shape:
    """What a network must fit: the number of classes, and an image's channels and pixels per side."""

    classes: int
    channels: int
    image_size: int


def shape(path: Path) -> Shape:
    """Return the shape of a prepared dataset's images, whose pixels are not read."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("x_train.npy") as file:
            npy.read_magic(file)
            (_, side, _, channels), _, _ = npy.read_array_header_1_0(file)
        with np.load(path, allow_pickle=False) as arrays:
            return Shape(len(json.loads(str(arrays["meta"]))["names"]), channels, side)
    except Exception as error:  # as in `load`
        raise DataError(f"{path} is damaged ({error}); delete it and create it again") from error


def load(path: Path) -> Dataset:
    """Read what `save` wrote; DataError if it is damaged, or its arrays are not those that were saved."""
    made = (
        f"with `snakemake --cores 1 -- {path}`, and your --configfile before the two dashes if you have one"
    )
    again = f"delete it and create it again {made}"
    try:
        with np.load(path, allow_pickle=False) as archive:
            meta = json.loads(str(archive["meta"]))
            arrays = {key: archive[key] for key in ARRAYS}
            orders = {part: archive[f"order_{part}"] for part in PARTS if f"order_{part}" in archive.files}
            found = Dataset(
                **arrays,
                names=tuple(meta["names"]),
                sha256=meta["sha256"],
                notes=tuple(meta["notes"]),
                orders=orders,
                made_from=meta.get("made_from", {}),
            )
    except FileNotFoundError:
        ours = path.parent.name == "data"  # results/data
        how = f"create it {made}" if ours else "give a file that pj prepared, such as results/data/mnist.npz"
        raise DataError(f"{path} is missing; {how}") from None
    except Exception as error:  # a damaged archive fails in zipfile, zlib, tokenize, …
        raise DataError(f"{path} is damaged ({error}); {again}") from error
    if _hash(arrays) != found.sha256:
        raise DataError(f"{path} holds other images or labels than those it was made with; {again}")
    return found
