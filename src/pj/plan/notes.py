"""How long finished jobs took, by Snakemake's notes: the fixed time of each kind of job, and measurements."""

from __future__ import annotations

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pj.config.analyses import ANALYSES
from pj.files import json_of
from pj.workflow.derived import NOTES

# Seconds of a job without its work, on two cores of an AMD EPYC; those of finished jobs come first.
FIXED = {
    **{"train": 2.2, "evaluate": 0.1, "measure": 2.3, "prepare_data": 1.3, "network": 2.5},
    **{"table": 1.2, "figure": 1.9, "page": 2.0},
}
RULES = {  # Snakemake's rules, which `pj.plan.work` groups
    **{"tables": "table", "analysis_table": "table", "probes": "table", "modes": "table"},
    **{"figures": "figure", "analysis_figure": "figure", "probe_figures": "figure"},
    **{"paths": "figure", "sweeps": "figure"},
    **{"scorecard": "page", "report": "page", "numbers": "page"},
}
MOST = 300  # jobs of a rule whose times are read
RUN = re.compile(r"results/runs/([^/]+)/seed(\d+)/run\.json")
MEASURED = re.compile(r"results/([^/]+)/([^/]+)/([^/]+)-seed(\d+)\.json")


@dataclass
class Jobs:
    """How long finished jobs took: by rule without their work, and of measurements by what and run."""

    fixed: dict[str, float] = field(default_factory=lambda: dict(FIXED))
    measurements: dict[tuple[str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))


def read() -> Jobs:
    """Return how long finished jobs took, from Snakemake's notes."""
    found = Jobs()
    seconds: dict[str, list[float]] = defaultdict(list)
    for path, rule, took in _noted():
        if RUN.fullmatch(path):
            trained = json_of(Path(path)).get("seconds")
            # not of a run in several parts
            if isinstance(trained, int | float) and 0 <= took - trained < 120:
                seconds["train"].append(took - trained)
        elif (measured := MEASURED.fullmatch(path)) and measured[1] in ANALYSES:
            kind, name, run_name, _ = measured.groups()
            for key in ((kind, name, run_name), (kind, "", run_name)):
                found.measurements[key].append(took)
        elif rule not in ("train", "train_probed", "measure"):
            seconds[RULES.get(rule, rule)].append(took)
    found.fixed |= {rule: median(values) for rule, values in seconds.items() if rule in FIXED}
    return found


def _noted() -> Iterator[tuple[str, str, float]]:
    """Yield output, rule and seconds of finished jobs; of each rule not all, there may be many."""
    counts: dict[str, int] = defaultdict(int)
    for file in sorted(NOTES.glob("*")) if NOTES.is_dir() else ():
        try:
            path = base64.b64decode(file.name).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue  # of a path that is too long for a name
        shape = re.sub(r"[^/]+(?=/)", "*", re.sub(r".*-seed\d+", "", path))
        if path.startswith("results/runs") and not path.endswith(("run.json", "evaluation.json")):
            continue
        counts[shape] += 1
        if counts[shape] > MOST:
            continue
        note = json_of(file)
        if note.get("starttime") and note.get("endtime") and not note.get("incomplete"):
            yield path, str(note.get("rule")), note["endtime"] - note["starttime"]
