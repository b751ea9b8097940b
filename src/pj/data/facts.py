"""What is known of a dataset's images before they are read: their shape and number. Loads no torch."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pj.config.components import Source
from pj.config.loading import Config
from pj.data import listing, store
from pj.errors import UserError

# Classes, channels and side of torchvision's datasets, where that depends on no option, and their training
# and test images.
SHAPES = {
    **{"CIFAR10": (10, 3, 32), "CIFAR100": (100, 3, 32), "SVHN": (10, 3, 32), "STL10": (10, 3, 96)},
    **{"MNIST": (10, 1, 28), "FashionMNIST": (10, 1, 28), "KMNIST": (10, 1, 28)},
}
COUNTS = {
    **{"CIFAR10": (50_000, 10_000), "CIFAR100": (50_000, 10_000), "SVHN": (73_257, 26_032)},
    **{"MNIST": (60_000, 10_000), "FashionMNIST": (60_000, 10_000), "KMNIST": (60_000, 10_000)},
    **{"STL10": (5_000, 8_000), "EMNIST": (112_800, 18_800)},
}
# Megabytes of the archives that are downloaded.
DOWNLOADS = {
    **{"CIFAR10": 170, "CIFAR100": 169, "SVHN": 246, "STL10": 2640, "EMNIST": 562},
    **{"MNIST": 12, "FashionMNIST": 31, "KMNIST": 21},
}
DIGITS = (1_437, 360)


@dataclass(frozen=True)
class Known:
    """A dataset's training and test images, their shape as text (channels x side), and its classes."""

    train: int
    test: int
    shape: str
    classes: int = 10


Images = Mapping[str, Known]


def images_of(config: Config, results: Path) -> dict[str, Known]:
    """Return what is known of the images of each dataset; nothing of those that must be prepared first."""
    found: dict[str, Known] = {}
    for label, source in config.sources().items():
        prepared = results / "data" / f"{label}.npz"
        there = counts(source, prepared)
        try:
            own = shape(source, prepared)
        except UserError:
            continue
        if there:
            found[label] = Known(*there, f"{own.channels}x{own.image_size}", own.classes)
    return found


def shape(source: Source, prepared: Path) -> store.Shape:
    """Return classes, channels and side of a dataset's images, as prepared or as its source says.

    UserError if they are not known before the dataset is prepared.
    """
    if prepared.is_file():
        return store.shape(prepared)
    if source.source == "digits":
        return store.Shape(10, source.channels, source.image_size)
    if source.source == "folder" and (classes := listing.images(Path(source.path), "train").classes):
        return store.Shape(len(classes), source.channels, source.image_size)
    if source.source == "torchvision" and source.dataset in SHAPES:
        return store.Shape(*SHAPES[source.dataset])
    raise UserError(f"its images are not known yet; prepare them: snakemake --cores 1 -- {prepared}")


def counts(source: Source, prepared: Path) -> tuple[int, int] | None:
    """Return the number of training and test images, as prepared or as its source says; None: not known."""
    try:
        if prepared.is_file():
            return _rows(prepared)
        if source.source == "npz":
            return _rows(Path(source.path))
    except (OSError, ValueError, KeyError):  # `pj verify` says what is wrong with it
        return None
    if source.source == "digits":
        return DIGITS
    if source.source == "folder":
        train, test = (len(listing.images(Path(source.path), part).files) for part in listing.PARTS)
        return (train, test) if train and test else None
    return COUNTS.get(source.dataset) if source.source == "torchvision" else None


def download(source: Source, prepared: Path) -> int:
    """Return how many megabytes are downloaded to prepare a dataset; archives that are there count, too."""
    if prepared.is_file() or source.source != "torchvision":
        return 0
    return DOWNLOADS.get(source.dataset, 0)


def _rows(path: Path) -> tuple[int, int]:
    """Return the number of training and test labels in a file of arrays; its images are not read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return len(arrays["y_train"]), len(arrays["y_test"])
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from None
