"""Count the floating-point operations of a configuration's trainings, by network.

python benchmarks/flops.py                  (config.yaml; other files as arguments)

A multiply-add counts as two, the backward pass as two forward passes, a step of SAM as two gradients, and
probes along a run as the gradients that they compute.
Evaluation after each epoch and measurements of finished runs are not counted.
"""

from __future__ import annotations

import sys
from collections import Counter

from pj import config
from pj.config.spec import RunSpec
from pj.data import store
from pj.plan import history, measure

IMAGES = {  # training images, and classes, channels and side
    "cifar10": (50_000, store.Shape(10, 3, 32)),
    "mnist": (60_000, store.Shape(10, 1, 28)),
}


def operations(spec: RunSpec, known: dict[str, float]) -> float:
    """Return the operations of one training; ``known`` keeps those of a forward pass of each network."""
    count, shape = IMAGES[spec.data.name]
    key = spec.model.model_dump_json() + spec.data.name
    if key not in known:
        known[key] = measure.operations(spec, shape)
    return 3.0 * known[key] * (spec.data.train or count) * spec.epochs * history.gradients(spec)


def main() -> None:
    """Print the operations by network, and in all."""
    loaded = config.load(*(sys.argv[1:] or ["config.yaml"]))
    total: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    known: dict[str, float] = {}
    for run in loaded.runs().values():
        name = run.spec.model.name
        runs[name] += len(run.seeds)
        total[name] += operations(run.spec, known) * len(run.seeds)  # type: ignore[assignment]
    for name, count in total.most_common():
        print(f"{name:20} {runs[name]:4} trainings {count / 1e15:10.1f} PFLOP")
    print(f"{'in all':20} {runs.total():4} trainings {total.total() / 1e15:10.1f} PFLOP")


if __name__ == "__main__":
    main()
