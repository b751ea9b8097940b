"""pj doctor: check this machine for the workflow, and say how to fix what is wrong."""

from __future__ import annotations

import argparse

from pj.cli.common import RESULTS, load

EXAMPLES = {
    "pj doctor": "each line begins with ok, note or BAD, and says what to do",
    "pj doctor --configfile my.yaml": "with an overlay, whose data are checked too",
}
EXIT_CODES = {1: "a finding is BAD, or an error, reported in one message"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    del parser  # none but --configfile


def run(options: argparse.Namespace) -> int:
    """Print the findings; the exit status is 1 if one of them is a fault."""
    from pj.workflow import doctor

    findings = []
    for finding in doctor.examine(lambda: load(options), RESULTS):
        print(finding, flush=True)
        findings.append(finding)
    return int(any(finding.remedy and finding.fault for finding in findings))
