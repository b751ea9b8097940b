"""pj config: the configuration that is in force after all overlays, and where each value was set."""

from __future__ import annotations

import argparse
from typing import Any

import yaml

from pj.cli.common import load
from pj.config import overlays, printing
from pj.config.settings import Settings

EXAMPLES = {
    "pj config --configfile my.yaml": "everything, as YAML: `lr: 0.1  # my.yaml:12`",
    "pj config studies.loss": "one study",
    "pj config studies.loss.variants": "what each variant changes, those of a sweep too",
    "pj config studies.loss.variants.nll": "all that decides the trainings of a variant, and their name",
    "pj config --defaults scale": "with the keys that no file sets",
    "pj config --config 'seeds=[0]'": "with a value of the command line, as for snakemake --config",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("key", nargs="?", default="", help="show only this key, such as studies.loss")
    parser.add_argument("--defaults", action="store_true", help="also show keys that no file sets")
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        type=_assigned,
        metavar="KEY=VALUE",
        help="a value that is laid over all files; may be repeated",
    )


def _assigned(text: str) -> tuple[str, Any]:
    key, is_given, value = text.partition("=")
    if not is_given:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        return key, value


def run(options: argparse.Namespace) -> None:
    """Print the configuration, or the part that was asked for."""
    files, overrides = ("config.yaml", *options.configfile), dict(options.config)
    loaded = load(options, overrides)
    places = overlays.places(files, overrides)
    for variant in loaded.variants:
        if options.key == f"studies.{variant.study}.variants.{variant.name}":
            print(printing.variant(variant, loaded, places), end="")
            return
    raw = overlays.without_nulls(overlays.read(files, overrides)[0], Settings)
    print(printing.whole(raw, loaded, places, options.key, defaults=options.defaults), end="")
