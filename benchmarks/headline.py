"""Speed of the final recipe: seconds per step and TFLOP/s, uncompiled and compiled.

    python benchmarks/headline.py [--depth 16] [--widen-factor 8] [--device auto] [--steps 10] [--rounds 3]
                                  [--ways plain compiled]

A wide residual network with ASAM, CutMix and smoothed KL on batches of 128, as in the study `final` of
config.yaml, on random images. Rounds alternate between the plain and the compiled network. On a GPU steps are
replayed as CUDA graphs. FLOP are those of convolutions and linear layers as torch counts them, for both
gradients of a step. The estimate for 200 epochs of 50,000 images leaves out the evaluation on the test set
after each epoch.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
from torch.utils.flop_counter import FlopCounterMode
from trainer import alternating, steps

from pj.config.spec import RunSpec
from pj.data import store
from pj.training.device import Conditions, configure
from pj.training.run import Training

BATCH, EPOCHS, IMAGES = 128, 200, 50_000
WAYS = ("plain", "compiled")


def training(options: argparse.Namespace, conditions: Conditions, compiled: bool) -> Training:
    """Return a run of the final recipe on random images."""
    draw = np.random.default_rng(0)
    arrays: dict[str, Any] = {"x_train": draw.integers(0, 256, (12_800, 32, 32, 3), dtype=np.uint8)}
    arrays |= {"y_train": np.arange(12_800) % 10, "x_test": arrays["x_train"][:128]}
    arrays |= {"y_test": arrays["y_train"][:128]}
    spec = RunSpec.model_validate(
        {
            "data": {"name": "random", "crop": 4, "flip": True, "cutmix": {}},
            "model": {"name": "wide_resnet", "depth": options.depth, "widen_factor": options.widen_factor},
            "loss": {"name": "kl_div"},
            "optimizer": {
                **{"name": "sam", "adaptive": True, "rho": 0.5, "lr": 0.1},
                **{"momentum": 0.9, "weight_decay": 5e-4},
            },
            "schedule": {"name": "cosine"},
            "epochs": EPOCHS,
            "batch_size": BATCH,
            "compile": compiled,
        }
    )
    return Training(spec, 0, store.checked(arrays, 10, "random"), conditions)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--depth", type=int, default=16)
    parser.add_argument("--widen-factor", type=int, default=8)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    conditions = configure(options.device, options.precision, options.threads)
    with FlopCounterMode(display=False) as counted:
        next(steps(training(options, conditions, compiled=False)))
    flops = counted.get_total_flops()
    what = f"WRN-{options.depth}-{options.widen_factor}, {conditions.describe()}, {conditions.precision}"
    print(f"{what}; {flops / 1e12:.2f} TFLOP per step")
    runs = {name: training(options, conditions, name == "compiled") for name in options.ways}
    sides = {name: steps(run) for name, run in runs.items()}
    for name, side in sides.items():
        start = time.perf_counter()
        next(side)
        conditions.synchronize()
        print(f"{name}: first step after {time.perf_counter() - start:.0f} s")
    seconds = alternating(sides, options.rounds, options.steps, conditions.synchronize)
    all_steps = EPOCHS * -(-IMAGES // BATCH)
    print(f"{EPOCHS} epochs in 15 minutes need {flops * all_steps / (15 * 60) / 1e12:.0f} TFLOP/s")
    for name, values in seconds.items():
        median = statistics.median(values)
        minutes = median * all_steps / 60
        ratio = statistics.median(seconds[options.ways[0]]) / median
        spread = f"{min(values):.4f} to {max(values):.4f}"
        print(
            f"{name:9} {median:8.4f} s per step ({spread})  {flops / median / 1e12:7.2f} TFLOP/s  "
            f"{minutes:8.1f} min for {EPOCHS} epochs  {ratio:.2f}x  "
            f"{runs[name].replayed_steps} steps replayed"
        )


if __name__ == "__main__":
    main()
