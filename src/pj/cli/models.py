"""pj models: the networks of the configuration, built once: parameters, operations, layers."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from pj.cli.common import RESULTS, load, print_table
from pj.config.components import Source
from pj.config.spec import network_name
from pj.errors import UserError

if TYPE_CHECKING:
    from pj.data.store import Shape

EXAMPLES = {
    "pj models": "all networks of config.yaml",
    "pj models --layers --configfile my.yaml": "with an overlay, and with the names of layers",
}

HEADER = ("network", "dataset", "images", "parameters", "MACs", "layers", "runs", "options")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--layers", action="store_true", help="also print the names that probes and analyses use"
    )


def run(options: argparse.Namespace) -> None:
    """Print one row per network and dataset."""
    from pj.training import network  # loads torch

    loaded = load(options)
    sources = loaded.sources()
    specs = {network_name(run.spec): run.spec for run in loaded.runs().values()}
    runs = Counter(network_name(run.spec) for run in loaded.runs().values() for _ in run.seeds)
    rows, layers, faults = [], [], []
    for name, spec in specs.items():
        try:
            images = _images(sources[spec.data.name], RESULTS / "data" / f"{spec.data.name}.npz")
            with redirect_stdout(sys.stderr):  # what a network prints is no part of the table
                found = network.describe(spec, images)
        except UserError as error:
            faults.append(f"{spec.data.name}: {error}")
            continue
        own = spec.model.model_dump(exclude={"name", "content"}, exclude_defaults=True)
        given = ", ".join(f"{key}: {value}" for key, value in own.items())
        shape = f"{images.channels}x{images.image_size}x{images.image_size}"
        sizes = (f"{found['parameters']:,}", f"{found['macs']:,}", str(len(found["layers"])))
        rows.append((spec.network, spec.data.name, shape, *sizes, str(runs[name]), given))
        layers.append(f"{spec.network} ({given or 'as it is'}): {', '.join(found['layers'])}")
    if rows:
        print_table(HEADER, rows)
    for line in layers if options.layers else ():
        print(line)
    if faults:
        raise UserError("\n".join(dict.fromkeys(faults)))


def _images(source: Source, prepared: Path) -> Shape:
    """Return the shape of a dataset's images and its classes, as prepared or as its source says."""
    from pj.data import listing, store

    if prepared.is_file():
        return store.shape(prepared)
    if source.source == "digits":
        return store.Shape(10, source.channels, source.image_size)
    if source.source == "folder" and (classes := listing.images(Path(source.path), "train").classes):
        return store.Shape(len(classes), source.channels, source.image_size)
    if source.source == "torchvision" and source.dataset in OFFICIAL:
        return store.Shape(*OFFICIAL[source.dataset])
    raise UserError(f"its images are not known yet; prepare them: snakemake --cores 1 -- {prepared}")


# Classes, channels and side of torchvision's datasets, where that depends on no option.
OFFICIAL = {
    **{"CIFAR10": (10, 3, 32), "CIFAR100": (100, 3, 32), "SVHN": (10, 3, 32), "STL10": (10, 3, 96)},
    **{"MNIST": (10, 1, 28), "FashionMNIST": (10, 1, 28), "KMNIST": (10, 1, 28)},
}
