"""The command `pj`: what the workflow does, by hand, and what it is doing. One module per command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pj.errors import UserError

COMMANDS = {
    "train": "train one run of a study into a folder, without Snakemake",
    "runs": "list every run: what it serves, its state and its test accuracy",
    "watch": "show the progress of all runs in training",
    "table": "print a study's table from whatever runs are there",
    "prune": "export a finished run without some of its units, as a smaller network",
    "report": "write the scorecard with all tables and figures as a page",
    "doctor": "say what this machine has for the workflow, and what to do about faults",
    "keep": "copy the tables and figures of all that is finished, with provenance",
    "schema": "write what may stand in config.yaml and claims.yaml, for editors and readers",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit status; a user's error is one message, no traceback."""
    try:
        options = _parser().parse_args(arguments)
        return int(options.command(options) or 0)
    except UserError as error:
        print(f"pj: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pj", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        module = import_module(f"pj.cli.{name}")  # here, so that a faulty component is one message
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(command=module.run)
        command.add_argument(
            "--configfile",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="an overlay of config.yaml; may be given several times",
        )
        module.arguments(command)
    return parser
