"""The fixed cost of a train job beyond `import torch`.

    python benchmarks/startup.py [--rounds 5]

Times, in turn, a process that only imports torch and one that trains two steps of a small network from a
data file to a finished run folder. Prints the medians and the median difference, in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pj.config.components import SOURCES
from pj.config.spec import RunSpec
from pj.data import sources, store

JOB = """
import sys
from pathlib import Path
from pj.config.spec import RunSpec
from pj.training.loop import train
folder = Path(sys.argv[1])
train(RunSpec.from_json(sys.argv[2]), 0, folder / "digits.npz", folder / "run", resume=folder / "resume",
      progress=folder / "progress.json")
"""
SPEC = {
    "data": {"name": "digits", "train": 200, "test": 100},
    "model": {"name": "mlp", "width": 0.1},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "adamw", "lr": 0.001},
    "epochs": 1,
    "batch_size": 100,
}


def seconds(*arguments: str) -> float:
    """Return how long a Python process takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", *arguments], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store.save(
            sources.read(SOURCES["digits"].settings.model_validate({"source": "digits"})),
            Path(name) / "digits.npz",
        )
        spec = RunSpec.model_validate(SPEC).json_text
        pairs = [(seconds("import torch"), seconds(JOB, name, spec)) for _ in range(options.rounds + 1)][1:]
    torch_only, job = (statistics.median(side) for side in zip(*pairs, strict=True))
    difference = statistics.median(b - a for a, b in pairs)
    print(f"import torch {torch_only:.2f} s, a whole job {job:.2f} s, difference {difference:.2f} s")


if __name__ == "__main__":
    main()
