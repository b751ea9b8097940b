"""A user's arrays in the layout of a dataset: uint8 [N, H, W, C] and labels from 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pj.data.listing import PARTS
from pj.data.store import ARRAYS, DataError

MOST_AXES = 4
SHAPES = "[N, H, W], [N, H, W, C] or [N, C, H, W] with H = W and C = 1 or 3"


def images(x: NDArray[Any], where: str, notes: list[str]) -> NDArray[np.uint8]:
    """Return images uint8 [N, H, W, C]; DataError for a shape or a range that is not known."""
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim == 4 and x.shape[3] not in (1, 3) and x.shape[1] in (1, 3) and x.shape[2] == x.shape[3]:
        notes.append(f"{where} is [N, C, H, W]: its channels were moved last")
        x = x.transpose(0, 2, 3, 1)
    if x.ndim != 4 or x.shape[1] != x.shape[2] or x.shape[3] not in (1, 3) or 0 in x.shape:
        raise DataError(f"{where} is {x.dtype} {list(x.shape)}; needed: images {SHAPES}, at least one")
    if x.dtype.kind in "biu" and x.min() >= 0 and x.max() == 1:
        raise DataError(f"{where} is {x.dtype} and holds only 0 and 1; multiply it by 255")
    if x.dtype == np.uint8:
        return x
    low, high = (float(x.min()), float(x.max())) if x.dtype.kind in "iuf" else (np.nan, np.nan)
    if x.dtype.kind == "f" and low >= 0 and high <= 1:
        notes.append(f"{where} is {x.dtype} in [0, 1]: multiplied by 255 and rounded")
        return np.round(x.astype(np.float64) * 255).astype(np.uint8)
    if low >= 0 and high <= 255 and (x.dtype.kind in "iu" or bool((x == np.round(x)).all())):
        return x.astype(np.uint8)
    raise DataError(
        f"{where} is {x.dtype} from {low:g} to {high:g}; needed: uint8, other whole numbers from 0 to 255, "
        "or floats from 0 to 1"
    )


def labels(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
    """Return training and test labels from 0, and the classes' names: the labels as they were given.

    Labels are whole numbers or text, one per image or one-hot. A class is a label that occurs in training.
    """
    given = {part: _flat(arrays[f"y_{part}"], f"{name}: y_{part}") for part in PARTS}
    kinds = {part: found.dtype.kind == "U" for part, found in given.items()}
    if len(set(kinds.values())) > 1:
        raise DataError(f"{name}: y_train and y_test must both be numbers or both be text")
    names = np.unique(given["train"])
    unknown = np.setdiff1d(given["test"], names)
    if len(unknown):
        raise DataError(
            f"{name}: y_test has labels that y_train lacks: {listed(unknown)}; y_train has {listed(names)}"
        )
    found = {part: np.searchsorted(names, own).astype(np.int64) for part, own in given.items()}
    return found, [str(label) for label in names.tolist()]


def _flat(y: NDArray[Any], where: str) -> NDArray[Any]:
    """Return labels [N] from [N], a column [N, 1], or one-hot rows [N, K]."""
    if y.ndim == 2 and y.shape[1] == 1:  # Keras keeps CIFAR's labels as a column
        y = y[:, 0]
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8")
    if y.ndim == 2 and y.dtype.kind in "biuf" and bool(((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all()):
        y = y.argmax(axis=1)
    if y.ndim == 1 and y.dtype.kind == "f" and bool((y == np.round(y)).all()):
        y = y.astype(np.int64)
    if y.ndim != 1 or y.dtype.kind not in "iuU" or not len(y):
        raise DataError(
            f"{where} is {y.dtype} {list(y.shape)}; needed: whole numbers or text, one per image, or one-hot"
        )
    return y


def listed(values: Iterable[object]) -> str:
    """Return values as a list in words, of many the first."""
    texts = [str(value) for value in values]
    return ", ".join(texts if len(texts) <= 12 else [*texts[:11], "…"])


def lacking(arrays: Mapping[str, Any], name: str) -> None:
    """DataError if an array is missing."""
    if missing := [key for key in ARRAYS if key not in arrays]:
        found = ", ".join(sorted(arrays)) or "none"
        raise DataError(f"{name}: lacks {', '.join(missing)}; needed: {', '.join(ARRAYS)}; found: {found}")
