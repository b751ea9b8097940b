"""A user's own arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pj.config.settings import NpzSource
from pj.data.store import DataError, Dataset, checked


def read(source: NpzSource) -> Dataset:
    """Return x_train, y_train, x_test and y_test of an .npz file."""
    path = Path(source.path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path.resolve()} is not there; the config's dataset names it as its path") from None
    except Exception as error:  # a damaged archive fails in zipfile, zlib, tokenize, …
        raise DataError(f"{path} cannot be read as an .npz of plain arrays: {error}") from error
    return checked(arrays, source.classes, str(path))
