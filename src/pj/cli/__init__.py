"""The command `pj`: single steps of the workflow by hand, and its progress. One module per command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import pj
from pj.errors import told

COMMANDS = {
    "init": "write a project of your own that runs, to start from",
    "config": "print the configuration that is in force, and where each value was set",
    "train": "train one run of a study into a folder, without Snakemake",
    "runs": "list every run: the variants that use it, its state and its test accuracy",
    "models": "list the networks: parameters, operations, layers",
    "plan": "say what is left to run, how long it takes, and what each claim lacks",
    "watch": "show the progress of all runs in training",
    "compare": "compare two variants: settings, accuracies, learning curves",
    "table": "print a study's table from the runs finished so far",
    "prune": "remove units from a finished run's network and export the smaller one",
    "report": "write the report pages: the scorecard with all tables and figures",
    "doctor": "check this machine for the workflow, and say how to fix what is wrong",
    "verify": "check results: damaged or edited files, runs of other code or data, runs of no study",
    "clean": "list what is in results that no configuration here names, and delete it on request",
    "keep": "copy the tables and figures of all finished runs, with provenance",
    "export": "write learning curves and settings of finished runs for TensorBoard or MLflow",
    "schema": "write the JSON schemas and the reference pages of config.yaml and claims.yaml",
    "completion": "print the script that lets a shell complete commands, options, studies and variants",
}
WITHOUT_CONFIG = ("init", "completion", "prune", "schema")
EXIT_CODES = {
    0: "done",
    1: "an error, reported in one message",
    2: "wrong usage",
    130: "interrupted (Ctrl-C)",
}
DESCRIPTION = f"""{pj.__doc__}

`snakemake` runs a whole project; these commands create a project, run single steps and show progress."""
START = {
    "pj init my-study": "a project of your own, which runs as it is",
    "pj doctor": "what this machine has for the workflow",
    "pj COMMAND --help": "options, examples and exit codes of a command",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit status; a user's error is one message, no traceback."""
    try:
        parser = make_parser()
        if "_ARGCOMPLETE" in os.environ:  # a shell asks what may come next, and this ends the process
            import argcomplete

            argcomplete.autocomplete(parser)
        if not (sys.argv[1:] if arguments is None else arguments):
            parser.print_help()
            return 0
        options = parser.parse_args(arguments)
        return int(options.command(options) or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        if (message := told(error)) is None:
            raise
        print(f"pj: {message}", file=sys.stderr)
        return 1


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. It imports every command's module, and none of them torch."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="pj", description=DESCRIPTION, epilog=_epilog(START, EXIT_CODES), formatter_class=form
    )
    parser.add_argument("--version", action="version", version=f"pj {pj.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        module = import_module(f"pj.cli.{name}")  # here, so that a faulty component is one message
        codes = EXIT_CODES | getattr(module, "EXIT_CODES", {})
        epilog = _epilog(module.EXAMPLES, codes)
        command = commands.add_parser(name, help=text, description=text, epilog=epilog, formatter_class=form)
        command.set_defaults(command=module.run)
        if name not in WITHOUT_CONFIG:
            command.add_argument(
                "--configfile",
                action="append",
                default=[],
                type=Path,
                metavar="FILE",
                help="a YAML file that extends config.yaml (an overlay); may be repeated",
            )
        module.arguments(command)
    return parser


def _epilog(examples: Mapping[str, str], codes: Mapping[int, str]) -> str:
    """Return the text below the options: examples, each below its meaning, and exit codes."""
    shown = [f"  # {meaning}\n  {command}" for command, meaning in examples.items()]
    ends = [f"  {code:<4} {meaning}" for code, meaning in sorted(codes.items())]
    return "\n".join(["examples:", *shown, "", "exit codes:", *ends])
