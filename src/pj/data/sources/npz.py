"""A user's own arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pj.config.types import Classes
from pj.data.store import DataError, Dataset, checked


def read(path: str, classes: Classes = 10) -> Dataset:
    """Return x_train, y_train, x_test and y_test of an .npz file.

    Args:
        path: of the file, relative to where Snakemake is called.
        classes: how many there are; labels run from 0.

    """
    file = Path(path)
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise DataError(
            f"{file.resolve()} does not exist; correct the dataset's path in config.yaml"
        ) from None
    except Exception as error:  # a damaged archive fails in zipfile, zlib, tokenize, …
        raise DataError(f"{path} cannot be read as an .npz of plain arrays: {error}") from error
    return checked(arrays, classes, path)
