"""Count the floating-point operations of a configuration's trainings, by network.

python benchmarks/flops.py                  (config.yaml; other files as arguments)

A multiply-add counts as two, the backward pass as two forward passes, a step of SAM as two gradients, and
probes along a run as the gradients that they compute.
Evaluation after each epoch and measurements of finished runs are not counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from pj import config
from pj.config.spec import RunSpec
from pj.data import facts
from pj.data.facts import Images
from pj.errors import UserError
from pj.plan import history, measure


def operations(spec: RunSpec, images: Images, known: dict[str, float]) -> float:
    """Return the operations of one training; ``known`` keeps those of a forward pass of each network.

    UserError if the dataset's images are not known before it is prepared.
    """
    size = history.size(spec, images)
    if size is None:
        raise UserError(f"the number of images of {spec.data.name} is known once it is prepared")
    key = history.network(spec, images)
    if key not in known:
        known[key] = measure.operations(spec, measure.shape(spec, images))
    return 3.0 * known[key] * size.train * spec.epochs * history.gradients(spec)


def main() -> None:
    """Print the operations by network, and in all."""
    total: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    known: dict[str, float] = {}
    try:
        loaded = config.load(*(sys.argv[1:] or ["config.yaml"]))
        images = facts.images_of(loaded, Path("results"))
        for run in loaded.runs().values():
            name = run.spec.model.name
            runs[name] += len(run.seeds)
            total[name] += operations(run.spec, images, known) * len(run.seeds)  # type: ignore[assignment]
    except UserError as error:
        sys.exit(str(error))
    for name, count in total.most_common():
        print(f"{name:20} {runs[name]:4} trainings {count / 1e12:14,.1f} TFLOP")
    print(f"{'in all':20} {runs.total():4} trainings {total.total() / 1e12:14,.1f} TFLOP")


if __name__ == "__main__":
    main()
