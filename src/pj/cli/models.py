"""pj models: the networks of the configuration, built once: parameters, operations, layers."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import redirect_stdout

from pj.cli.common import RESULTS, load, print_table
from pj.config.spec import network_name
from pj.errors import UserError

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
    from rich.console import Console
    from rich.progress import track

    from pj.data import facts
    from pj.training import network  # loads torch

    loaded = load(options)
    sources = loaded.sources()
    specs = {network_name(run.spec): run.spec for run in loaded.runs().values()}
    runs = Counter(network_name(run.spec) for run in loaded.runs().values() for _ in run.seeds)
    rows, layers, faults = [], [], []
    terminal = Console(stderr=True)
    named = track(
        list(specs.items()), "building", console=terminal, transient=True, disable=not terminal.is_terminal
    )
    for name, spec in named:
        try:
            images = facts.shape(sources[spec.data.name], RESULTS / "data" / f"{spec.data.name}.npz")
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
