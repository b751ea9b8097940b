"""Training speed: this trainer compared with the loop of the reports' code.

    python benchmarks/trainer.py [--networks resnet9 lenet mlp] [--threads 2] [--steps 10] [--rounds 3]

The report's loop: a DataLoader with two workers, PIL transforms, fp32, `.item()` twice per step. Both train
the same network with the same optimizer on the same random images; rounds alternate, so that a drift of the
machine's speed affects all. Prints milliseconds per step (median of the rounds), images per second and the
ratios; bf16 only where the processor has it. To see whether two jobs of one thread do more than one of two,
run it twice at once with `--threads 1 --workers 1`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pj.config.spec import RunSpec
from pj.data import store
from pj.files import replaced
from pj.training.device import configure, cpu_computes_bf16
from pj.training.run import Training

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]
BATCH = 128
SGD: dict[str, Any] = {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
PICTURES = 12_800


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images and labels, transformed one by one as in torchvision.datasets.CIFAR10."""

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, transform: Callable[..., torch.Tensor]
    ) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return an augmented image and its label."""
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def specification(network: str, batch: int, optimizer: dict[str, Any], compile_: bool = False) -> RunSpec:
    """Return a run of a network, written as its name and options: ``wide_resnet depth=16``."""
    name, *options = network.split()
    model = {"name": name} | {
        key: yaml.safe_load(value) for key, _, value in (o.partition("=") for o in options)
    }
    data = {"name": "random", "mean": MEAN, "std": STD, "crop": 4, "flip": True}
    if name == "lenet":
        data = {"name": "random"}
    return RunSpec.model_validate(
        {
            "data": data,
            "model": model,
            "loss": {"name": "cross_entropy"},
            "optimizer": optimizer,
            "epochs": 1000,
            "batch_size": batch,
            "compile": compile_,
        }
    )


def random_images(network: str, count: int) -> store.Dataset:
    """Return random images in the shape that the network is used with in config.yaml."""
    draw = np.random.default_rng(0)
    shape = (28, 28, 1) if network.startswith("lenet") else (32, 32, 3)
    images, labels = draw.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % 10
    arrays: dict[str, Any] = {"x_train": images, "y_train": labels}
    return store.checked(arrays | {"x_test": images[:128], "y_test": labels[:128]}, 10, "random")


def reports_loop(training: Training, dataset: store.Dataset, workers: int) -> Iterator[None]:
    """Return the steps of the report's training loop, with the network of ``training``."""
    from torchvision import transforms

    crop = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    grey = dataset.channels == 1
    augment = [] if grey else crop
    normalise = [] if grey else [transforms.Normalize(MEAN, STD)]
    transform = transforms.Compose([*augment, transforms.ToTensor(), *normalise])
    images = dataset.x_train[..., 0] if grey else dataset.x_train
    loader = DataLoader(
        Pictures(images, dataset.y_train, transform),
        batch_size=training.spec.batch_size,
        shuffle=True,
        num_workers=workers,
    )
    model = training.model.to(memory_format=torch.contiguous_format)
    return reports_steps(loader, model, training.conditions.device, lr=SGD["lr"])


def reports_steps(
    loader: DataLoader[tuple[Tensor, int]], model: nn.Module, device: torch.device, lr: float
) -> Iterator[None]:
    """Yield after each step of the report's training loop."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()
    total = correct = 0.0
    while True:
        for batch, target in loader:
            images, labels = batch.to(device), target.to(device)
            optimizer.zero_grad()
            outputs = model(images)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
            correct += outputs.argmax(dim=1).eq(labels).sum().item()
            yield


def steps(training: Training) -> Iterator[None]:
    """Yield after each step of a training."""
    while True:
        training.batches.start_epoch(training.epoch)
        while training.step < training.batches.steps:
            training.train_step()
            yield
        training.epoch, training.step = training.epoch + 1, 0


def measured_before(file: Path, conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a benchmark that was ended has left in its file, or exit if its conditions were others."""
    found = dict(json.loads(file.read_text())) if file.is_file() else {"conditions": dict(conditions)}
    if (before := found.get("conditions")) != conditions:
        sys.exit(f"{file} was measured with {before}, not {dict(conditions)}; name another file")
    return found


def keep(file: Path, found: Mapping[str, Any]) -> None:
    """Write what has been measured so far."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replaced(file) as temporary:
        temporary.write_text(json.dumps(found, indent=2))


def alternating(
    sides: Mapping[str, Iterator[None]], rounds: int, steps: int, wait: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """Return each side's seconds per step by round, after one that warms up; ``wait`` is for the device."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            for _ in range(steps):
                next(side)
            wait()
            if round_:
                seconds[name].append((time.perf_counter() - start) / steps)
    return seconds


def sides(network: str, options: argparse.Namespace) -> dict[str, Iterator[None]]:
    """Return the steps of each way to train a network."""
    dataset, run = random_images(network, PICTURES), specification(network, BATCH, SGD)

    def begun(precision: str) -> Training:
        return Training(run, 0, dataset, configure("cpu", precision, options.threads))

    found = {
        "report's loop, fp32": reports_loop(begun("fp32"), dataset, options.workers),
        "this trainer, fp32": steps(begun("fp32")),
    }
    if cpu_computes_bf16():
        found["this trainer, bf16"] = steps(begun("bf16"))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["resnet9", "lenet", "mlp"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = f"{options.rounds} rounds of {options.steps} steps"
    print(f"torch {torch.__version__}, {options.threads} threads, batches of {BATCH}, {rounds}")
    if not cpu_computes_bf16():
        print("This processor does not compute in bf16: not measured.")
    for network in options.networks:
        ways = sides(network, options)
        times = alternating(ways, options.rounds, options.steps)
        base = statistics.median(times["report's loop, fp32"])
        print(network)
        for name, values in times.items():
            median = statistics.median(values)
            spread = f"{1000 * min(values):.1f} to {1000 * max(values):.1f}"
            rate = f"{BATCH / median:7.0f} images/s  {base / median:.2f}x"
            print(f"  {name:20} {1000 * median:7.1f} ms ({spread}) {rate}")


if __name__ == "__main__":
    main()
