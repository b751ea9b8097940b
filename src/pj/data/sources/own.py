"""Images from a user's own function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pj import own
from pj.data.sources import npz
from pj.data.store import Dataset
from pj.errors import UserError


def read(
    *,
    class_: str,
    options: dict | None = None,
    mix: bool = True,
    content: str | None = None,
) -> Dataset:
    """Return images of your own: a function that returns x_train, y_train, x_test and y_test by name.

    Args:
        class_: the function, as "file.py:name" or "package.module:name".
        options: its arguments.
        mix: mix the order of the images, by a recorded permutation, since splits go by position;
            false: keep it, such as that of an official dataset.
        content: a hash of the file, which pj fills in.

    """
    arrays = own.called(class_, own.loaded(class_, content), options)
    if not isinstance(arrays, Mapping):
        raise UserError(
            f"{class_} returned {type(arrays).__name__}; needed: a dictionary of {', '.join(npz.ARRAYS)}"
        )
    return npz.dataset({str(name): _array(value, class_) for name, value in arrays.items()}, class_, mix=mix)


def _array(value: Any, class_: str) -> np.ndarray:
    """Return an array, a tensor or a list as an array."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # such as lists of two lengths, or a GPU's tensor
        raise UserError(f"{class_} returned what is no array: {error}") from None
