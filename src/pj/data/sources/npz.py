"""A user's own arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import Field

from pj.data import layout
from pj.data.listing import PARTS
from pj.data.store import ARRAYS, DataError, Dataset, checked, mixed


def read(path: str, classes: Annotated[int, Field(ge=2)] | None = None, mix: bool = True) -> Dataset:
    """Return x_train, y_train, x_test and y_test of an .npz file.

    Args:
        path: of the file, relative to where Snakemake is called.
        classes: how many there are, to be checked; null: as many as different training labels.
        mix: mix the order of the images, by a recorded permutation, since splits go by position;
            false: keep it, such as that of an official dataset.

    """
    return dataset(_arrays(Path(path)), path, classes, mix)


def dataset(
    arrays: Mapping[str, NDArray[Any]], path: str, classes: int | None = None, mix: bool = True
) -> Dataset:
    """Return arrays in any known layout as a dataset; messages name ``path``."""
    layout.lacking(arrays, path)
    notes: list[str] = []
    found: dict[str, NDArray[Any]] = {
        f"x_{part}": layout.images(arrays[f"x_{part}"], f"{path}: x_{part}", notes) for part in PARTS
    }
    labels, names = layout.labels(arrays, path)
    if classes is not None and classes != len(names):
        raise DataError(
            f"{path}: y_train has {len(names)} different labels ({layout.listed(names)}), but classes is "
            f"{classes}; correct it, or leave it out"
        )
    if names != [str(i) for i in range(len(names))]:
        notes.append(f"{path}: the classes are {layout.listed(names)}, numbered from 0")
    found |= {f"y_{part}": own for part, own in labels.items()}
    whole = checked(found, names, path, notes)
    return mixed(whole, "npz") if mix else whole


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz; DataError for anything else, before it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in ARRAYS:
                if f"{name}.npy" in archive.namelist():
                    _check(archive, f"{name}.npy")
        with np.load(path, allow_pickle=False) as loaded:
            return {key: loaded[key] for key in ARRAYS if key in loaded.files}
    except FileNotFoundError:
        raise DataError(
            f"{path.resolve()} does not exist; correct the dataset's path in the configuration"
        ) from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a damaged archive fails in zipfile, zlib, tokenize, …
        what = "is one array (.npy)" if _starts(path, npy.MAGIC_PREFIX) else f"is no .npz archive ({error})"
        raise DataError(
            f"{path} {what}; needed: np.savez(…, {', '.join(f'{name}=…' for name in ARRAYS)})"
        ) from error


def _check(archive: zipfile.ZipFile, name: str) -> None:
    """DataError if an array holds Python objects, or if its shape is not that of what is stored."""
    with archive.open(name) as file:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = header(file)
        size = archive.getinfo(name).file_size - file.tell()
    if dtype.hasobject:
        raise DataError(f"{name} holds Python objects; needed: plain arrays")
    if size != prod(shape) * dtype.itemsize:
        raise DataError(f"{name} claims {dtype} {list(shape)}, but holds {size:,} bytes")
    if len(shape) > layout.MOST_AXES:
        raise DataError(f"{name} is {dtype} {list(shape)}; needed: images {layout.SHAPES}")


def _starts(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False
