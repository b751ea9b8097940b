"""Cost of probes: steps with and without a probe, alternating in one run of VGG-A.

    python benchmarks/probing.py [--threads 2] [--steps 12] [--width 1.0] [--device auto]

Every second step is probed as in config.yaml (7 + 4 points along -g, 4 along the update, 4 layers' covariate
shift), so that a drift of the machine's speed affects both kinds. Prints the seconds of a step, the cost of a
probe in steps, and that cost per step if every 30th step is probed, each with its upper bound: one gradient
evaluation per point and one more.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from pj.config import loading
from pj.config.spec import RunSpec
from pj.data import store
from pj.training.device import configure
from pj.training.run import Training

EVERY = 30


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12, help="number of steps of each kind")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    for name in ("bn_1e-3", "plain_1e-3"):
        measure(name, options)


def measure(name: str, options: argparse.Namespace) -> None:
    loaded = loading.load(Path(__file__).parents[1] / "config.yaml")
    spec = next(v.spec for v in loaded.study("batch_norm_predictiveness").variants if v.name == name)
    probe = spec.probe
    assert probe is not None and probe.gradient is not None and probe.update is not None
    content = spec.model_dump()
    content["probe"]["every"] = 2
    content["model"]["width"] = options.width
    spec = RunSpec.model_validate(content)
    count = spec.batch_size * (2 * options.steps + 2)
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels: np.ndarray = np.arange(count) % 10
    arrays = {"x_train": images, "y_train": labels, "x_test": images[:10], "y_test": labels[:10]}
    conditions = configure(options.device, spec.precision, options.threads)
    training = Training(spec, 0, store.checked(arrays, 10, "random"), conditions)
    training.batches.start_epoch(0)
    seconds: list[float] = []
    for _ in range(2 * options.steps + 2):
        conditions.synchronize()
        start = time.perf_counter()
        training.train_step()
        conditions.synchronize()
        seconds.append(time.perf_counter() - start)
    step, probed = statistics.median(seconds[3::2]), statistics.median(seconds[2::2])
    lines = (probe.gradient, probe.update)
    points = sum(len(grid) for line in lines for grid in (line.absolute, line.relative) if grid) + len(
        probe.ics
    )
    added = (probed - step) / step
    bound = points + 1
    print(f"{name}: a step {step:.3f} s; {points} points add {added:.1f} steps (at most {bound})")
    print(f"  every {EVERY}th step probed: {added / EVERY:.2f} of a step (at most {bound / EVERY:.2f})")


if __name__ == "__main__":
    main()
