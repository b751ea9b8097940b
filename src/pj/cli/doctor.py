"""pj doctor: what this machine has for the workflow, and what to do about faults."""

from __future__ import annotations

import argparse

from pj.cli.common import RESULTS, load


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    del parser  # none but --configfile


def run(options: argparse.Namespace) -> int:
    """Print the findings; the exit status says whether one is a fault."""
    from pj.workflow import doctor

    findings = []
    for finding in doctor.examine(lambda: load(options), RESULTS):
        print(finding, flush=True)
        findings.append(finding)
    return int(any(finding.remedy and finding.fault for finding in findings))
