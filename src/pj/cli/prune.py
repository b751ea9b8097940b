"""pj prune: a finished run without some of its units, as a smaller network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from pj import files
from pj.cli.common import RESULTS
from pj.config.analyses.pruning import Order, Pruned
from pj.config.types import distinct
from pj.errors import UserError
from pj.runs import records

EXAMPLES = {
    "pj prune results/runs/mnist-lenet-0a1b2c3d/seed0 --layers conv3 --percent 80 --output small.pt2": (
        "remove the smallest 80 % of conv3's filters"
    ),
    "pj prune results/runs/mnist-lenet-0a1b2c3d/seed0 --layers conv3 linear1 --percent 50 --order random "
    "--output half.pt2": "remove half of two layers, at random",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", type=Path, help="folder of the run, such as results/runs/<run>/seed0")
    parser.add_argument("--layers", nargs="+", required=True, metavar="LAYER", help="conv3, linear1, …")
    parser.add_argument(
        "--percent", type=float, required=True, help="percentage of each layer's units to remove, in [0, 100)"
    )
    parser.add_argument(
        "--order",
        choices=get_args(Order),
        default="magnitude",
        help="order of removal (default: magnitude, the smallest weights first; path: DessiLBI's order)",
    )
    parser.add_argument("--data", type=Path, help="data file (default: results/data/<dataset>.npz)")
    parser.add_argument(
        "--output", type=Path, required=True, help="a .pt2 file, which torch.export.load reads"
    )


def run(options: argparse.Namespace) -> None:
    """Write the smaller network, and print its size and accuracy."""
    from pj.pruning import curve  # load torch
    from pj.runs import finished

    if not 0 <= options.percent < 100:
        raise UserError(f"--percent {options.percent:g}; allowed: from 0 to less than 100")
    try:
        distinct(options.layers)
    except ValueError as error:
        raise UserError(f"--layers: {error}") from None
    if options.output.suffix != ".pt2" or options.output.is_dir():
        raise UserError(f"--output {options.output}; allowed: a file whose name ends in .pt2")
    files.check_writable(options.output.parent)
    path = RESULTS / "data" / f"{records.read_run(options.run)['spec']['data']['name']}.npz"
    loaded = finished.load(options.run, options.data or path, device="cpu", precision="fp32")
    asked = Pruned(layers=options.layers, percents=[options.percent], draws=1, methods=[options.order])
    row = curve.export(loaded, asked, options.output)
    before, after = row["whole"], row["size"]
    removed = ", ".join(f"{count:,} of {name}" for name, count in row["removed"].items())
    left = f"{after['parameters']:,} of {before['parameters']:,} parameters"
    left += f", {after['nonzero']:,} of them not zero"
    print(f"removed {removed}; test accuracy {row['accuracy']:.2f} %")
    print(left)
    print(f"{after['macs']:,} of {before['macs']:,} MACs per image; written to {options.output}")
