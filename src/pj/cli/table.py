"""pj table: a study's table from whatever runs are there."""

from __future__ import annotations

import argparse

from pj.cli.common import RESULTS, load, study_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("study")


def run(options: argparse.Namespace) -> None:
    """Print the table as Markdown."""
    from pj.report.tables import studies  # loads pandas

    print(studies.sheet(studies.collect(study_of(load(options), options.study), RESULTS / "runs")).markdown())
