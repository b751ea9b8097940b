"""What is known of a dataset's images before they are read: their shape and number. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pj.config.components import Source
from pj.config.loading import Config
from pj.data import listing, official, store
from pj.errors import UserError


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
    if source.source == "torchvision" and source.dataset in official.SHAPES:
        return store.Shape(*official.SHAPES[source.dataset])
    raise UserError(f"its images are not known yet; prepare them: snakemake --cores 1 -- {prepared}")


def counts(source: Source, prepared: Path) -> tuple[int, int] | None:
    """Return the number of training and test images, as prepared or as its source says; None: not known."""
    if prepared.is_file():
        return _rows(prepared)
    if source.source == "npz":
        return _rows(Path(source.path))
    if source.source == "digits":
        return official.DIGITS
    if source.source == "folder":
        train, test = (len(listing.images(Path(source.path), part).files) for part in listing.PARTS)
        return (train, test) if train and test else None
    return official.COUNTS.get(source.dataset) if source.source == "torchvision" else None


def download(source: Source, prepared: Path) -> int:
    """Return how many megabytes are downloaded to prepare a dataset; archives that are there count, too."""
    if prepared.is_file() or source.source != "torchvision":
        return 0
    return official.DOWNLOADS.get(source.dataset, 0)


def _rows(path: Path) -> tuple[int, int] | None:
    """Return the number of training and test labels in a file of arrays; None if it is damaged."""
    train, test = (listing.rows(path, f"y_{part}") for part in listing.PARTS)
    return None if train is None or test is None else (train, test)
