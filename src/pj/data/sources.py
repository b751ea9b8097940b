"""Where images come from: official archives, a user's own files, or the embedded digits."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from pj.config import DigitsSource, FolderSource, NpzSource, Source, TorchvisionSource
from pj.data.store import DataError, Dataset, checked
from pj.randomness import derive


def read(source: Source) -> Dataset:
    """Return a source's images; DataError says what is wrong with them and what to do."""
    return READERS[type(source)](source)


def _torchvision(source: TorchvisionSource) -> Dataset:
    from torchvision import datasets  # slow to import, and needed only where data are made

    folder = Path(source.folder)
    folder.mkdir(parents=True, exist_ok=True)
    kind = getattr(datasets, source.dataset)
    with FileLock(folder / f".{source.dataset}.lock"):  # two jobs must not unpack at once
        try:
            parts = {part: kind(folder, train=part == "train", download=True) for part in ("train", "test")}
        except (OSError, RuntimeError, EOFError) as error:
            raise DataError(_how_to_get(source, kind, error)) from error
    arrays = {}
    for part, dataset in parts.items():
        arrays[f"x_{part}"] = np.asarray(dataset.data)
        arrays[f"y_{part}"] = np.asarray(dataset.targets)
    return checked(arrays, len(parts["train"].classes), source.dataset)


def _how_to_get(source: TorchvisionSource, kind: Any, error: Exception) -> str:
    if source.dataset == "CIFAR10":
        folder, files = Path(source.folder), [(kind.filename, kind.tgz_md5)]
        where = kind.url.rpartition("/")[0]
    else:
        folder, files = Path(source.folder) / kind.__name__ / "raw", kind.resources
        where = kind.mirrors[-1].rstrip("/")
    wanted = "\n".join(f"  {name}  (md5 {md5})" for name, md5 in files)
    return (
        f"{source.dataset} could not be downloaded from {where} ({error}).\n"
        f"Without a network, put into {folder.resolve()}:\n{wanted}\n"
        "or point the dataset in your config at your own file: {source: npz, path: …}."
    )


def _npz(source: NpzSource) -> Dataset:
    path = Path(source.path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path.resolve()} is not there; the config's dataset names it as its path") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataError(f"{path} cannot be read as an .npz of plain arrays: {error}") from error
    return checked(arrays, source.classes, str(path))


def _folder(source: FolderSource) -> Dataset:
    from PIL import Image, UnidentifiedImageError
    from torchvision.datasets import ImageFolder

    arrays = {}
    names: dict[str, list[str]] = {}
    mode, size = ("RGB" if source.channels == 3 else "L"), (source.image_size, source.image_size)
    for part in ("train", "test"):
        try:
            listing = ImageFolder(Path(source.path) / part)
        except FileNotFoundError as error:
            raise DataError(f"{source.path}/{part}: {error}; needed: one folder of images a class") from error
        names[part] = listing.classes
        images = []
        for file, _ in listing.samples:
            try:
                with Image.open(file) as image:
                    images.append(np.asarray(image.convert(mode).resize(size, Image.Resampling.BILINEAR)))
            except (OSError, UnidentifiedImageError) as error:
                raise DataError(f"{file} cannot be read as an image: {error}") from error
        # files come class by class, and splits go by position
        order = np.random.default_rng(derive(0, "folder", part)).permutation(len(images))
        arrays[f"x_{part}"] = np.stack(images)[order]
        arrays[f"y_{part}"] = np.asarray(listing.targets)[order]
    if names["train"] != names["test"]:
        raise DataError(f"{source.path}: train has the classes {names['train']}, test has {names['test']}")
    return checked(arrays, len(names["train"]), source.path)


def _digits(source: DigitsSource) -> Dataset:
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    size = (source.image_size, source.image_size)
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)
    large = np.stack([np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BILINEAR)) for i in small])
    images = np.repeat(large[..., None], source.channels, axis=3)
    arrays = {"x_train": images[:1437], "y_train": digits.target[:1437]}
    arrays |= {"x_test": images[1437:], "y_test": digits.target[1437:]}
    return checked(arrays, 10, "digits")


READERS: dict[type, Callable[[Any], Dataset]] = {
    TorchvisionSource: _torchvision,
    NpzSource: _npz,
    FolderSource: _folder,
    DigitsSource: _digits,
}
