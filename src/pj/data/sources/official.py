"""The official archives of CIFAR-10 and MNIST, downloaded once and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock

from pj.data.store import DataError, Dataset, checked

# The hash that `checked` computes of MNIST's images and labels. torchvision verifies the unpacked files of
# CIFAR-10 itself, but not those of MNIST.
MNIST_SHA256 = "95116561df959a072d2b92c322e7314dbe0b6125a7eaff8cc08d5b36bc48dbd6"


def read(dataset: Literal["CIFAR10", "MNIST"], folder: str = "data") -> Dataset:
    """Return a dataset of torchvision from its official archives, downloading what is missing.

    Args:
        dataset: CIFAR10 or MNIST.
        folder: of the archives; missing ones are downloaded to it.

    """
    from torchvision import datasets  # slow to import, and needed only where data are made

    place = Path(folder)
    kind = getattr(datasets, dataset)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / f".{dataset}.lock"):  # two jobs must not unpack at once
            parts = {part: kind(place, train=part == "train", download=True) for part in ("train", "test")}
    except Exception as error:  # the network's errors and a damaged archive's are of many kinds
        raise DataError(_how_to_get(dataset, place, kind, error)) from error
    arrays = {}
    for part, images in parts.items():
        arrays[f"x_{part}"] = np.asarray(images.data)
        arrays[f"y_{part}"] = np.asarray(images.targets)
    result = checked(arrays, parts["train"].classes, dataset)
    if dataset == "MNIST" and result.sha256 != MNIST_SHA256:
        raise DataError(
            f"{_files(dataset, place, kind)[0]} does not hold the official MNIST; delete it and run again"
        )
    return result


def _files(dataset: str, place: Path, kind: Any) -> tuple[Path, list[tuple[str, str]]]:
    """Return the folder of the archives, and their names with their md5 sums."""
    folder = place.resolve()
    if dataset == "CIFAR10":
        return folder, [(kind.filename, kind.tgz_md5)]
    return folder / kind.__name__ / "raw", kind.resources


def _how_to_get(dataset: str, place: Path, kind: Any, error: Exception) -> str:
    folder, archives = _files(dataset, place, kind)
    where = kind.url.rpartition("/")[0] if dataset == "CIFAR10" else kind.mirrors[0].rstrip("/")
    wanted = "\n".join(f"  {name}  (md5 {md5})" for name, md5 in archives)
    return (
        f"{dataset} could be read neither from {folder} nor from {where} ({error}).\n"
        f"Without a network, copy these files into {folder}:\n{wanted}\n"
        "or let the dataset in your configuration name your own file: {source: npz, path: …}."
    )
