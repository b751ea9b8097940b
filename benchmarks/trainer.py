"""ResNet9 training speed: this trainer compared with the loop of the reports' code.

    python benchmarks/trainer.py [--threads 2] [--steps 10] [--rounds 3]

The report's loop: a DataLoader with two workers, PIL transforms, fp32, `.item()` twice per step. Both train
the same network with the same optimizer on the same random images; rounds alternate, so that a drift of the
machine's speed affects all. Prints images per second (median of the rounds) and the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pj import models
from pj.config.spec import RunSpec
from pj.data import store
from pj.training.device import configure, cpu_computes_bf16
from pj.training.loop import Training

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]
BATCH = 128


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


def reports_loop(dataset: store.Dataset, workers: int) -> Iterator[None]:
    """Return the steps of the report's training loop."""
    from torchvision import transforms

    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    pictures = Pictures(dataset.x_train, dataset.y_train, transform)
    loader = DataLoader(pictures, batch_size=BATCH, shuffle=True, num_workers=workers)
    return reports_steps(loader, models.create("resnet9"), torch.device("cpu"), lr=0.1)


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


def this_trainer(dataset: store.Dataset, precision: str, threads: int) -> Iterator[None]:
    """Return the steps of `pj.training.loop`."""
    spec = RunSpec.model_validate(
        {
            "data": {"name": "random", "crop": 4, "flip": True, "mean": MEAN, "std": STD},
            "model": {"name": "resnet9"},
            "loss": {"name": "cross_entropy"},
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
            "epochs": 1000,
            "batch_size": BATCH,
        }
    )
    return steps(Training(spec, 0, dataset, configure("cpu", precision, threads)))


def steps(training: Training) -> Iterator[None]:
    """Yield after each step of a training."""
    while True:
        training.batches.start_epoch(training.epoch)
        while training.step < training.batches.steps:
            training.train_step()
            yield
        training.epoch, training.step = training.epoch + 1, 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (12_800, 32, 32, 3), dtype=np.uint8), np.arange(12_800) % 10
    arrays: dict[str, Any] = {"x_train": images, "y_train": labels}
    arrays |= {"x_test": images[:128], "y_test": labels[:128]}
    dataset = store.checked(arrays, 10, "random")
    sides = {
        "report's loop, fp32": reports_loop(dataset, options.workers),
        "this trainer, fp32": this_trainer(dataset, "fp32", options.threads),
    }
    if cpu_computes_bf16():
        sides["this trainer, bf16"] = this_trainer(dataset, "bf16", options.threads)
    else:
        print("This processor does not compute in bf16: not measured.")
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(options.rounds + 1):  # the first warms up
        for name, steps in sides.items():
            start = time.perf_counter()
            for _ in range(options.steps):
                next(steps)
            if round_:
                speeds[name].append(options.steps * BATCH / (time.perf_counter() - start))
    base = statistics.median(speeds["report's loop, fp32"])
    rounds = f"{options.rounds} rounds of {options.steps} steps"
    print(f"torch {torch.__version__}, {options.threads} threads, {rounds}")
    for name, values in speeds.items():
        spread = f"{min(values):.0f} to {max(values):.0f}"
        median = statistics.median(values)
        print(f"{name:20} {median:7.0f} images/s ({spread})  {median / base:.2f}x")


if __name__ == "__main__":
    main()
