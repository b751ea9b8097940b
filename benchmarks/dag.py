"""Cost of planning: time and memory of Snakemake for a growing number of runs.

    python benchmarks/dag.py [--runs 100 1000 10000]

For each number of runs (two jobs per run, and tables and figures for every hundred runs) it times

- the dry run of everything (`snakemake -n`), and that of a bare Snakefile with as many jobs, for comparison,
- the scheduler for all jobs (`--touch`, without the tenth of a second that Snakemake sleeps before touching a
  job's files: every job is scheduled, none does any work),
- a call that finds nothing to do,
- the start of a cluster job: `snakemake` for one finished run, called as the executor calls it.

Prints one row per number of runs, in seconds and MB of peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SEEDS = 5
STUDY_RUNS = 100  # runs per study, as many as a readable table has
BASE = {
    "data": {"name": "digits"},
    "model": {"name": "mlp", "width": 0.1},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "epochs": 1,
    "batch_size": 100,
}


BARE = """
rule all:
    input: expand("studies/{study}/{file}", study=range(STUDIES), file=("table.md", "curves.png"))
rule prepare:
    output: "data.npz"
    shell: ""
rule train:
    input: "data.npz"
    output: multiext("runs/{study}-{run}/", "checkpoint.pt", "metrics.csv", "run.json")
    shell: ""
rule evaluate:
    input: "data.npz", multiext("runs/{run}/", "checkpoint.pt", "metrics.csv", "run.json")
    output: "runs/{run}/evaluation.json"
    shell: ""
rule tables:
    input: lambda found: [f"runs/{found.study}-{run}/evaluation.json" for run in range(STUDY_RUNS)]
    output: "studies/{study}/table.md"
    shell: ""
rule figures:
    input: lambda found: [f"runs/{found.study}-{run}/metrics.csv" for run in range(STUDY_RUNS)]
    output: "studies/{study}/curves.png"
    shell: ""
"""


def bare(folder: Path, runs: int) -> float:
    """Return the seconds of a dry run without `pj`: the same files from as many jobs."""
    folder.mkdir()
    sizes = f"STUDIES, STUDY_RUNS = {runs // STUDY_RUNS}, {STUDY_RUNS}\n"
    (folder / "Snakefile").write_text(sizes + BARE, encoding="utf-8")
    return snakemake(folder, "-n", "--quiet", "host")[0]


def project(folder: Path, runs: int) -> None:
    """Create a project with ``runs`` runs in ``folder``."""
    folder.mkdir()
    for name in ("Snakefile", "rules", "workflow", "profiles", "envs", "src"):
        (folder / name).symlink_to(ROOT / name)
    variants = runs // SEEDS
    rates = {f"v{i}": {"optimizer": {"lr": (i + 1) / variants}} for i in range(variants)}
    names = list(rates)
    size = STUDY_RUNS // SEEDS
    chunks = [names[i : i + size] for i in range(0, len(names), size)]
    studies = {
        f"s{i}": {"title": f"Study {i}", "base": BASE, "variants": {name: rates[name] for name in chunk}}
        for i, chunk in enumerate(chunks)
    }
    settings = {
        "datasets": {"digits": {"source": "digits"}},
        "seeds": list(range(SEEDS)),
        "studies": studies,
    }
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")


SNAKEMAKE = """
from snakemake.cli import main
from snakemake.executors import touch
touch.Executor.SLEEPING_TIME = 0
main()
"""


def snakemake(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Return seconds, peak megabytes and output of a call."""
    command = [sys.executable, "-c", SNAKEMAKE, "--scheduler", "greedy", "--cores", "1000", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = status
        output.seek(0)
        text = output.read()
    if status:
        sys.exit(text[-3000:])
    return seconds, usage.ru_maxrss / 1024, text


def make_outputs(folder: Path) -> None:
    """Create every file of the workflow, empty, so that it can be touched."""
    lines = snakemake(folder, "--summary")[2].splitlines()
    names = {line.split("\t")[0] for line in lines if line.startswith("results/")}
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def measure(parent: Path, runs: int) -> list[str]:
    """Return a row of the table."""
    folder = parent / "project"
    project(folder, runs)
    bare_seconds = bare(parent / "bare", runs)
    seconds, memory, text = snakemake(folder, "-n", "--quiet", "host")
    jobs = next(line.split()[1] for line in text.splitlines() if line.startswith("total"))
    make_outputs(folder)
    scheduling, more_memory, _ = snakemake(folder, "--touch", "--quiet", "all")
    nothing, _, text = snakemake(folder, "-n", "--quiet", "host")
    assert "Nothing to be done" in text, text[-2000:]
    run = next((folder / "results" / "runs").iterdir()).name
    job = ("--allowed-rules", "train", "--target-jobs", f"train:run={run},seed=0", "--force", "--nolock")
    start, _, _ = snakemake(folder, "-n", "--quiet", "all", *job)
    times = [f"{value:.1f}" for value in (seconds, bare_seconds, scheduling, nothing, start)]
    return [f"{runs:,}", f"{int(jobs):,}", *times, f"{max(memory, more_memory):.0f}"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000, 10_000])
    options = parser.parse_args()
    print("| runs | jobs | dry run, s | bare, s | scheduling, s | nothing to do, s | a job's start, s | MB |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for runs in options.runs:
        with tempfile.TemporaryDirectory() as name:
            print(f"| {' | '.join(measure(Path(name), runs))} |", flush=True)


if __name__ == "__main__":
    main()
