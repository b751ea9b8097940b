"""The official archives of CIFAR-10 and MNIST, downloaded once and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from pj.config.settings import TorchvisionSource
from pj.data.store import DataError, Dataset, checked

# Of the images and labels as `checked` hashes them. torchvision verifies CIFAR-10's unpacked files itself,
# but takes MNIST's as they are.
MNIST_SHA256 = "95116561df959a072d2b92c322e7314dbe0b6125a7eaff8cc08d5b36bc48dbd6"


def read(source: TorchvisionSource) -> Dataset:
    """Return a dataset from ``folder``, downloading what is missing."""
    from torchvision import datasets  # slow to import, and needed only where data are made

    folder = Path(source.folder)
    kind = getattr(datasets, source.dataset)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{source.dataset}.lock"):  # two jobs must not unpack at once
            parts = {part: kind(folder, train=part == "train", download=True) for part in ("train", "test")}
    except Exception as error:  # the network's errors and a damaged archive's are of many kinds
        raise DataError(_how_to_get(source, kind, error)) from error
    arrays = {}
    for part, dataset in parts.items():
        arrays[f"x_{part}"] = np.asarray(dataset.data)
        arrays[f"y_{part}"] = np.asarray(dataset.targets)
    result = checked(arrays, len(parts["train"].classes), source.dataset)
    if source.dataset == "MNIST" and result.sha256 != MNIST_SHA256:
        raise DataError(
            f"{_files(source, kind)[0]} does not hold the official MNIST; delete it and run again"
        )
    return result


def _files(source: TorchvisionSource, kind: Any) -> tuple[Path, list[tuple[str, str]]]:
    """Return the folder that the archives lie in, and their names with their md5 sums."""
    folder = Path(source.folder).resolve()
    if source.dataset == "CIFAR10":
        return folder, [(kind.filename, kind.tgz_md5)]
    return folder / kind.__name__ / "raw", kind.resources


def _how_to_get(source: TorchvisionSource, kind: Any, error: Exception) -> str:
    folder, archives = _files(source, kind)
    where = kind.url.rpartition("/")[0] if source.dataset == "CIFAR10" else kind.mirrors[0].rstrip("/")
    wanted = "\n".join(f"  {name}  (md5 {md5})" for name, md5 in archives)
    return (
        f"{source.dataset} could not be had, neither from {folder} nor from {where} ({error}).\n"
        f"Without a network, put into {folder}:\n{wanted}\n"
        "or point the dataset in your config at your own file: {source: npz, path: …}."
    )
