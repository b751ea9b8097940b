"""The standard datasets of torchvision: official archives, downloaded once and checked, official splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from pj.data.listing import PARTS
from pj.data.store import DataError, Dataset, checked

# The hash that `checked` computes of MNIST's images and labels. torchvision verifies the unpacked files of
# CIFAR itself, but not those of MNIST.
MNIST_SHA256 = "95116561df959a072d2b92c322e7314dbe0b6125a7eaff8cc08d5b36bc48dbd6"
BALANCED = "balanced"  # the subset of EMNIST that is read by default


def read(
    dataset: Literal["CIFAR10", "CIFAR100", "EMNIST", "FashionMNIST", "KMNIST", "MNIST", "STL10", "SVHN"],
    folder: str = "data",
    subset: Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"] | None = None,
) -> Dataset:
    """Return a dataset of torchvision from its official archives, downloading what is missing.

    Args:
        dataset: CIFAR10 and CIFAR100 (32x32, colour), SVHN (32x32, colour; without its extra images), STL10
            (96x96, colour; its labelled images, of an archive of 2.6 GB), MNIST, FashionMNIST, KMNIST and
            EMNIST (28x28, grey; EMNIST upright).
        folder: of the archives; missing ones are downloaded to it.
        subset: of EMNIST, which torchvision calls split; null: balanced.

    """
    from torchvision import datasets  # slow to import, and needed only where data are made

    place = Path(folder)
    kind = getattr(datasets, dataset)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / f".{dataset}.lock"):  # two jobs must not unpack at once
            parts = {part: _part(kind, place, part, subset or BALANCED) for part in PARTS}
    except Exception as error:  # the network's errors and a damaged archive's are of many kinds
        raise DataError(_how_to_get(dataset, place, kind, error)) from error
    arrays: dict[str, NDArray[Any]] = {}
    names: Any = getattr(parts["train"], "classes", 10)  # SVHN has none: its classes are the digits
    for part, images in parts.items():
        arrays[f"x_{part}"], arrays[f"y_{part}"] = _arrays(images)
    if dataset == "EMNIST" and subset == "letters":  # labels 1 to 26, and names that begin with "N/A"
        names = names[1:]
        arrays |= {f"y_{part}": arrays[f"y_{part}"] - 1 for part in PARTS}
    result = checked(arrays, names, dataset)
    if dataset == "MNIST" and result.sha256 != MNIST_SHA256:
        raise DataError(
            f"{_archives(place, kind)[0]} does not hold the official MNIST; delete it and run again"
        )
    return result


def _part(kind: Any, place: Path, part: str, subset: str) -> Any:
    """Return the training or the test part of a dataset, as torchvision reads it."""
    if kind.__name__ in ("STL10", "SVHN"):
        return kind(place, split=part, download=True)
    options = {"split": subset} if kind.__name__ == "EMNIST" else {}
    return kind(place, train=part == "train", download=True, **options)


def _arrays(images: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images uint8 [N, H, W] or [N, H, W, C] and labels [N] of a dataset of torchvision."""
    x = np.asarray(images.data)
    if hasattr(images, "labels"):  # STL10 and SVHN: [N, C, H, W]
        return x.transpose(0, 2, 3, 1), np.asarray(images.labels).astype(np.int64)
    if type(images).__name__ == "EMNIST":  # its files hold each image transposed
        x = x.transpose(0, 2, 1)
    return x, np.asarray(images.targets)


def _archives(place: Path, kind: Any) -> tuple[Path, str, list[tuple[str, str]]]:
    """Return the folder of the archives, where they come from, and their names with their md5 sums."""
    folder = place.resolve()
    if hasattr(kind, "tgz_md5"):  # CIFAR and STL10
        return folder, kind.url.rpartition("/")[0], [(kind.filename, kind.tgz_md5)]
    if hasattr(kind, "split_list"):  # SVHN
        files = [kind.split_list[part] for part in PARTS]
        return folder, files[0][0].rpartition("/")[0], [(name, md5) for _, name, md5 in files]
    raw = folder / kind.__name__ / "raw"
    if hasattr(kind, "url"):  # EMNIST
        where, _, name = kind.url.rpartition("/")
        return raw, where, [(name, kind.md5)]
    return raw, kind.mirrors[0].rstrip("/"), kind.resources


def _how_to_get(dataset: str, place: Path, kind: Any, error: Exception) -> str:
    folder, where, archives = _archives(place, kind)
    wanted = "\n".join(f"  {name}  (md5 {md5})" for name, md5 in archives)
    return (
        f"{dataset} could be read neither from {folder} nor from {where} ({error}).\n"
        f"Without a network, copy these files into {folder}:\n{wanted}\n"
        "or let the dataset in your configuration name your own file: {source: npz, path: …}."
    )
