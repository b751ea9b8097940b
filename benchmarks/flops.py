"""Count the floating-point operations of a configuration's trainings, by network.

python benchmarks/flops.py                  (config.yaml; other files as arguments)

A multiply-add counts as two, the backward pass as two forward passes, and a step of SAM as two gradients.
Evaluation after each epoch and measurements of finished runs are not counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from types import SimpleNamespace

import torch

from pj import config
from pj.config.spec import RunSpec
from pj.pruning import networks
from pj.training import build

IMAGES = {"cifar10": (50_000, 3, 32), "mnist": (60_000, 1, 28)}  # training images, channels, side


def operations(spec: RunSpec, known: dict[str, int]) -> float:
    """Return the operations of one training; ``known`` keeps the multiply-adds per image of each network."""
    count, channels, side = IMAGES[spec.data.name]
    key = spec.model.model_dump_json() + spec.data.name
    if key not in known:
        dataset = SimpleNamespace(channels=channels, image_size=side, classes=10)
        network = build.network(spec, dataset, torch.device("cpu")).eval()
        known[key] = networks.size(network, torch.zeros(1, channels, side, side)).macs
    gradients = 2 if spec.optimizer.name == "sam" else 1
    return 6.0 * known[key] * (spec.data.train or count) * spec.epochs * gradients


def main() -> None:
    """Print the operations by network, and in all."""
    loaded = config.load(*(sys.argv[1:] or ["config.yaml"]))
    total: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    known: dict[str, int] = {}
    for run in loaded.runs().values():
        name = run.spec.model.name
        runs[name] += len(run.seeds)
        total[name] += operations(run.spec, known) * len(run.seeds)  # type: ignore[assignment]
    for name, count in total.most_common():
        print(f"{name:20} {runs[name]:4} trainings {count / 1e15:10.1f} PFLOP")
    print(f"{'in all':20} {runs.total():4} trainings {total.total() / 1e15:10.1f} PFLOP")


if __name__ == "__main__":
    main()
