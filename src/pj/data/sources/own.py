"""Images from a user's own function."""

from __future__ import annotations

from collections.abc import Mapping

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
    return npz.dataset(arrays, class_, mix=mix)
