"""pj verify: finished runs against today's code, data and configuration, and tables against their runs."""

from __future__ import annotations

import argparse

from pj.cli.common import RESULTS, also, also_argument, load
from pj.durations import counted

EXAMPLES = {
    "pj verify": "all of results/, for config.yaml",
    "pj verify --configfile my.yaml": "for config.yaml with an overlay",
    "pj verify --also my.yaml": "for config.yaml; results/ holds runs of my.yaml, too",
}
EXIT_CODES = {1: "something was found, or an error, reported in one message"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    also_argument(parser, "expected here")


def run(options: argparse.Namespace) -> int:
    """Print what was found, one line each; the exit status is 1 if there is something."""
    from pj.workflow import verify

    loaded, found = load(options), 0
    for line in verify.findings(loaded, RESULTS, also(options)):
        print(line, flush=True)
        found += 1
    runs = len(list((RESULTS / "runs").glob("*/seed*/run.json")))
    said = counted(found, "finding") if found else "all as their records say"
    print(f"{counted(runs, 'finished run')}: {said}")
    return int(found > 0)
