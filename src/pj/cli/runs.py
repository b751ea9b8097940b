"""pj runs: every run, the variants that use it, its state and its test accuracy."""

from __future__ import annotations

import argparse
import time

from pj.cli.common import RESULTS, load, note_others, print_table
from pj.config.spec import RunSpec
from pj.files import json_of
from pj.runs import kept, places, records
from pj.workflow import derived
from pj.workflow.running import alive

EXAMPLES = {
    "pj runs": "all runs of config.yaml",
    "pj runs --configfile config.smoke.yaml": "with an overlay, as for snakemake --configfile",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    del parser  # none but --configfile


def run(options: argparse.Namespace) -> None:
    """Print one line per run."""
    from pj.workflow import verify

    rows, loaded = [], load(options)
    for name, run in loaded.runs().items():
        serves = ", ".join(f"{study}/{variant}" for study, variant in run.serves)
        for seed in run.seeds:
            state, accuracy = _state(run.spec, seed)
            rows.append((name, str(seed), state, accuracy, serves))
    print_table(("run", "seed", "state", "test %", "used by"), rows)
    note_others(len(verify.others(loaded, RESULTS)))


def _state(spec: RunSpec, seed: int) -> tuple[str, str]:
    """Return a run's state and the test accuracy of its selected epoch, as far as they are known."""
    folder = places.folder(RESULTS / "runs", spec.run, seed)
    try:
        state, evaluation = records.state(folder), records.evaluation(folder)
    except records.RecordError:
        return "damaged", ""  # pj verify says what is
    if state != "missing" or evaluation:
        accuracy = ((evaluation.get("selected") or {}).get("test") or {}).get("accuracy")
        return evaluation.get("state", state), "" if accuracy is None else f"{accuracy:.2f}"
    if alive(json_of(places.progress(RESULTS, spec.run, seed)), time.time()):
        return "training", ""
    resume = derived.resume(spec, seed, RESULTS)
    return kept.state(resume) or ("stopped" if any(resume.glob("*.pt")) else "-"), ""
