"""pj table: a study's table from the runs finished so far."""

from __future__ import annotations

import argparse

from pj.cli.common import RESULTS, load, note_outdated, outdated, study_argument, study_of

EXAMPLES = {
    "pj table loss": "the table of study loss, from its finished runs",
    "pj table loss --configfile config.smoke.yaml": "with an overlay, as for snakemake --configfile",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    study_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Print the table as Markdown."""
    from pj.report.tables import studies  # loads pandas

    loaded = load(options)
    print(studies.sheet(studies.collect(study_of(loaded, options.study), RESULTS / "runs")).markdown())
    note_outdated(outdated(loaded, options.study))
