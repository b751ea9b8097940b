"""Images on the device, and batched augmentation there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pj.config.data import Data
from pj.data import create_part
from pj.data.steps import steps_per_epoch
from pj.data.store import DataError, Dataset
from pj.randomness import generator

PIXELS = ("randaugment", "trivialaugment", "jitter")  # the parts that change pixels before normalising
FEW = 10  # images that may be of one class by chance


@dataclass(frozen=True)
class Split:
    """Images uint8 [N, H, W, C] and labels int64 [N] on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


class Normalise:
    """uint8 [B, H, W, C] in 0…255 to float32 [B, C, H, W], standardised per channel."""

    def __init__(self, data: Data, train: Split) -> None:
        channels, device = train.images.shape[3], train.images.device
        if data.mean == "auto":
            mean, std = mean_and_std(train)
            if 0 in std:
                raise DataError(f"{data.name}: mean: auto needs channels that are not constant in training")
        else:
            mean, std = data.mean or [0.0], data.std or [1.0]
        if len(mean) not in (1, channels):
            raise DataError(f"{data.name} has {channels} channels, but data.mean has {len(mean)} numbers")
        self.constants = {"mean": list(mean), "std": list(std)}  # for the record
        self.scale = (1 / 255 / torch.tensor(std)).to(device)
        self.shift = (-torch.tensor(mean) / torch.tensor(std)).to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the images as a view in channels_last order, permuted without a copy."""
        return torch.addcmul(self.shift, images.float(), self.scale).permute(0, 3, 1, 2)


def mean_and_std(split: Split) -> tuple[list[float], list[float]]:
    """Return mean and population standard deviation per channel over all pixels, in [0, 1].

    They are computed from counts of the 256 values, so that they are the same on every device.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in split.images.unbind(dim=3):
        counts = torch.bincount(channel.flatten(), minlength=256).cpu().double()
        mean = (counts * values).sum() / counts.sum()
        means.append(mean.item())
        deviations.append(((counts * (values - mean) ** 2).sum() / counts.sum()).sqrt().item())
    return means, deviations


def splits(dataset: Dataset, data: Data, device: torch.device) -> dict[str, Split]:
    """Return train, validation (if any) and test, split by position.

    DataError for too few images, a split of one class, or a class that is not trained on.
    """
    available = len(dataset.y_train)
    train = data.train if data.train is not None else available - data.validation
    test = data.test if data.test is not None else len(dataset.y_test)
    if train < 1 or train + data.validation > available:
        asked = "" if data.train is None else f"train {data.train} and "
        raise DataError(
            f"{data.name} has {available} training images, too few for {asked}validation {data.validation}"
        )
    if test > len(dataset.y_test):
        raise DataError(f"{data.name} has {len(dataset.y_test)} test images, not {test}")

    stops = {"train": (0, train), "validation": (train, train + data.validation)}
    arrays = {part: (dataset.x_train[a:b], dataset.y_train[a:b]) for part, (a, b) in stops.items() if b > a}
    arrays["test"] = (dataset.x_test[:test], dataset.y_test[:test])
    _check_classes({part: labels for part, (_, labels) in arrays.items()}, data.name, dataset)
    return {
        part: Split(torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device))
        for part, (images, labels) in arrays.items()
    }


def _check_classes(parts: dict[str, NDArray[Any]], name: str, dataset: Dataset) -> None:
    """DataError for a split of one class, or a class that is not trained on."""
    for part, labels in parts.items():
        if len(labels) >= FEW and labels.min() == labels.max():
            one = dataset.names[int(labels[0])]
            raise DataError(f"{name}: the {len(labels)} {part} images are all of class {one}; mix the source")
    counts = {part: np.bincount(labels, minlength=dataset.classes) for part, labels in parts.items()}
    train = len(parts["train"])
    for part, count in counts.items():
        for label in np.flatnonzero((count >= FEW) & (counts["train"] == 0)):
            if train >= FEW * dataset.classes:
                of = f"{count[label]} {part} images are of class {dataset.names[label]}"
                raise DataError(f"{name}: {of}, and none of the {train} training images; mix the source")


class TrainingBatches:
    """Shuffled, augmented batches as a function of (seed, epoch, step) alone.

    Order, crops, flips and all else that is random in an epoch are drawn at its start on the CPU, so that
    they do not depend on the device; one gather per step crops and flips. Each optional part draws its own.
    """

    def __init__(
        self, split: Split, data: Data, batch_size: int, normalise: Normalise, classes: int, seed: int
    ) -> None:
        count, size = len(split), split.images.shape[1]
        if batch_size > count:
            raise DataError(f"batch_size {batch_size} is larger than the {count} training images")
        self.batch_size, self.seed, self.crop, self.flip = batch_size, seed, data.crop, data.flip
        self.normalise, self.labels, self.size, self.count = normalise, split.labels, size, count
        self.steps = steps_per_epoch(count, batch_size)
        self.sizes = [min(batch_size, count - step * batch_size) for step in range(self.steps)]
        self.images = split.images
        if data.crop:
            pad = (0, 0, data.crop, data.crop, data.crop, data.crop)
            self.images = torch.nn.functional.pad(split.images, pad)  # black, before normalising
        self.pixels = torch.arange(size, device=split.labels.device)
        options = {name: getattr(data, name).model_dump() for name in data.parts}
        for name in data.mixing:
            options[name] |= {"num_classes": classes}
        self.parts = {name: create_part(name, **own) for name, own in options.items()}
        self.on_pixels = [self.parts[name] for name in PIXELS if name in self.parts]
        self.erasing = [self.parts[name] for name in ("cutout", "erasing") if name in self.parts]
        self.mixing = next((self.parts[name] for name in data.mixing), None)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order, the crops, the flips and what the optional parts need of an epoch."""
        draw = generator(self.seed, "augment", epoch)
        device = self.labels.device
        self.order = torch.randperm(self.count, generator=generator(self.seed, "order", epoch)).to(device)
        self.top, self.left = torch.randint(2 * self.crop + 1, (2, self.count), generator=draw).to(device)
        self.mirror = (torch.rand(self.count, generator=draw) < 0.5).to(device)
        for name, part in self.parts.items():
            part.start_epoch(self.sizes, self.size, generator(self.seed, name, epoch), device)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return images float32 [B, C, H, W] (channels_last) and the labels of a step.

        Labels are int64 [B]; with CutMix and mixup probabilities float32 [B, K].
        """
        cut = self._cut(step)
        pixels = self._gathered(cut)
        for part in self.on_pixels:
            pixels = part(step, cut, pixels)
        images, labels = self.normalise(pixels), self.labels[self.order[cut]]
        for part in self.erasing:
            images = part(step, cut, images)
        return self.mixing(step, cut, images, labels) if self.mixing else (images, labels)

    def _cut(self, step: int) -> slice:
        return slice(step * self.batch_size, (step + 1) * self.batch_size)

    def _gathered(self, cut: slice) -> Tensor:
        """Return images uint8 [B, H, W, C], cropped and flipped."""
        index = self.order[cut]
        if not self.crop and not self.flip:
            return self.images[index]
        columns = self.pixels.expand(len(index), -1)
        if self.flip:
            columns = torch.where(self.mirror[cut, None], self.size - 1 - columns, columns)
        rows = self.pixels + self.top[cut, None]
        columns = columns + self.left[cut, None]
        return self.images[index[:, None, None], rows[:, :, None], columns[:, None, :]]


def in_order(split: Split, normalise: Normalise, most: int = 500) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a split's images and labels in batches, unaugmented and in order.

    A batch has ``most`` images of 32x32 pixels, and of larger ones fewer: their activations need more memory.
    """
    pixels = split.images.shape[1] * split.images.shape[2]
    count = min(most, max(1, most * 32 * 32 // pixels))
    for start in range(0, len(split), count):
        cut = slice(start, start + count)
        yield normalise(split.images[cut]), split.labels[cut]
