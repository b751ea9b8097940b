"""Step times of every network on a GPU, eager, captured and compiled, against two other training loops.

    python benchmarks/gpu.py results/gpu.json
    python benchmarks/gpu.py results/gpu.json --networks resnet9 "wide_resnet depth=16 widen_factor=8"

Ways to train, all on the same random images with SGD and momentum:

    eager     this trainer without CUDA graphs, bf16
    captured  this trainer as it is, steps replayed as CUDA graphs, bf16
    compiled  captured, with compile: true, bf16
    sam       captured, with SAM, bf16
    report    the loop of the reports' code: a DataLoader with PIL transforms, fp32, .item() twice per step
    v2        images on the device, torchvision.transforms.v2 on whole batches, bf16

What the file already holds is not measured again, so that a benchmark that was ended continues; a file of
another device, torch, batch size, number of images or of workers is refused. Prints seconds per step
(median), images per second, TFLOP/s and their share of the device's own rate in a bf16 matrix product.
Without a GPU it runs on the CPU, which only checks that it runs.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from trainer import MEAN, SGD, STD, keep, measured_before, random_images, reports_loop, specification, steps

from pj import models
from pj.data import store
from pj.pruning import networks
from pj.training.device import Conditions, configure
from pj.training.run import Training

WIDE = "wide_resnet depth=16 widen_factor=8"
NETWORKS = [*(name for name in models.names() if name != "wide_resnet"), WIDE]
PIECE = 10  # steps between two looks at the clock


def v2_loop(training: Training, dataset: store.Dataset) -> Iterator[None]:
    """Yield after each step of a loop over images on the device, augmented batch by batch."""
    from torchvision.transforms import v2

    conditions, model = training.conditions, training.model
    images = torch.from_numpy(dataset.x_train).to(conditions.device).permute(0, 3, 1, 2)
    labels = torch.from_numpy(dataset.y_train).to(conditions.device)
    augment: list[Callable[[Tensor], Tensor]] = [v2.ToDtype(torch.float32, scale=True)]
    if dataset.channels == 3:
        augment = [v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(), *augment, v2.Normalize(MEAN, STD)]
    transform = v2.Compose(augment)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    while True:
        for index in torch.randperm(len(labels), device=conditions.device).split(training.spec.batch_size):
            optimizer.zero_grad()
            with conditions.autocast():
                loss = nn.functional.cross_entropy(model(transform(images[index])), labels[index])
            loss.backward()
            optimizer.step()
            yield


def seconds_per_step(steps: Iterator[None], conditions: Conditions, seconds: float) -> float:
    """Return the median over pieces of `PIECE` steps, after two pieces that warm up."""
    pieces: list[float] = []
    began = float("inf")
    for i in itertools.count():
        if i == 2:
            began = time.perf_counter()
        start = time.perf_counter()
        for _ in range(PIECE):
            next(steps)
        conditions.synchronize()
        if i >= 2:
            pieces.append((time.perf_counter() - start) / PIECE)
        if len(pieces) >= 3 and time.perf_counter() - began > seconds:
            return statistics.median(pieces)
    raise AssertionError("unreachable")


def measured(network: str, way: str, options: argparse.Namespace) -> dict[str, float]:
    """Return what one way to train a network takes."""
    precision = "fp32" if way == "report" else "auto"
    conditions = configure(options.device, precision, 1)
    if way == "compiled":
        torch.compiler.reset()  # beyond some networks in a process torch.compile would leave them as they are
    torch.backends.cudnn.benchmark = way == "v2"
    if way in ("report", "v2"):  # torch's defaults
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False
        torch.backends.cudnn.allow_tf32 = True
    dataset = random_images(network, options.images)
    optimizer = {**SGD, "name": "sam", "rho": 0.05} if way == "sam" else SGD
    training = Training(
        specification(network, options.batch, optimizer, way == "compiled"), 0, dataset, conditions
    )
    if way == "eager":
        training.captured = None
    pixels = torch.zeros(
        1, dataset.channels, dataset.image_size, dataset.image_size, device=conditions.device
    )
    training.model.eval()
    macs = networks.size(training.model, pixels).macs
    training.model.train()
    if way == "report":
        taken = reports_loop(training, dataset, options.workers)
    else:
        taken = v2_loop(training, dataset) if way == "v2" else steps(training)
    start = time.perf_counter()
    seconds = seconds_per_step(taken, conditions, options.seconds)
    on_gpu = conditions.device.type == "cuda"
    if on_gpu and way in ("captured", "compiled", "sam") and not training.replayed_steps:
        sys.exit(f"{network} {way}: no step was replayed as a CUDA graph")
    rate = options.batch / seconds
    return {
        "seconds_per_step": seconds,
        "images_per_second": rate,
        # a multiply-add is two operations, the backward pass two forward passes
        "tflops": 6 * macs * rate * (2 if way == "sam" else 1) / 1e12,
        "measured_for": time.perf_counter() - start,
    }


def device_rate(device: str) -> dict[str, float]:
    """Return the TFLOP/s of a bf16 matrix product, the median of ten."""
    conditions = configure(device, "fp32", 1)
    size = 8192 if conditions.device.type == "cuda" else 512
    a, b = (torch.randn(size, size, device=conditions.device, dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(13):
        conditions.synchronize()
        start = time.perf_counter()
        torch.mm(a, b)
        conditions.synchronize()
        times.append(time.perf_counter() - start)
    return {"tflops": 2 * size**3 / statistics.median(times[3:]) / 1e12}


def main() -> None:
    """Measure what the file lacks, and print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--ways", nargs="+", default=["eager", "captured", "report", "v2", "sam", "compiled"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--images", type=int, default=12_800)
    parser.add_argument("--workers", type=int, default=2, help="of the report's DataLoader")
    parser.add_argument("--seconds", type=float, default=2.0, help="of measuring, per network and way")
    options = parser.parse_args()
    conditions = configure(options.device, "fp32", 1).describe()
    conditions |= {name: getattr(options, name) for name in ("batch", "images", "workers")}
    found = measured_before(options.file, conditions)
    cells = [("", "device")] + [(network, way) for way in options.ways for network in options.networks]
    for network, way in cells:
        key = f"{network} {way}".strip()
        if key in found:
            continue
        found[key] = measured(network, way, options) if network else device_rate(options.device)
        keep(options.file, found)
    peak = found["device"]["tflops"]
    print(f"{found['conditions']}; a bf16 matrix product: {peak:.0f} TFLOP/s")
    for key, values in found.items():
        if key not in ("device", "conditions"):
            share = f"{values['tflops']:7.1f} TFLOP/s ({100 * values['tflops'] / peak:.0f} %)"
            step = f"{1000 * values['seconds_per_step']:8.2f} ms {values['images_per_second']:9.0f} images/s"
            print(f"{key:50} {step} {share}")


if __name__ == "__main__":
    main()
