"""RandAugment and TrivialAugment: random operations of random strength, as torchvision defines them.

Cubuk et al. 2020, "RandAugment: Practical Automated Data Augmentation with a Reduced Search Space", figure 2;
Müller & Hutter 2021, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", algorithm 1 and
the wide space of table 1. Operation, strength and sign of each image are drawn at the epoch's start on the
CPU, so that the groups of equal operations in each batch are known without waiting for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pj.data import operations

NAMES = (  # in torchvision's order
    *("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate"),
    *("brightness", "saturation", "contrast", "sharpness"),
    *("posterize", "solarize", "autocontrast", "equalize"),
)
MOVES = NAMES[1:6]  # applied together, as one affine map per image
SIGNED = NAMES[1:10]  # whose strength is negated for half of the images


@dataclass
class Round:
    """One operation per image of an epoch; within each batch sorted by operation.

    ``operation``, ``level`` and ``negative`` are what was drawn, on the CPU. On the device, in sorted order:
    ``place`` in its batch, ``value`` [N, 1, 1, 1] and ``matrix`` [N, 2, 3]; ``back`` undoes the sorting.
    ``groups`` holds the name, the start and the end of each group of a batch.
    """

    operation: Tensor
    level: Tensor
    negative: Tensor
    place: Tensor
    back: Tensor
    value: Tensor
    matrix: Tensor
    groups: list[list[tuple[str, int, int]]]


class _Policy:
    rounds_per_image = 1
    bins: int

    def magnitudes(self, side: int) -> dict[str, Tensor]:
        """Return the strengths of each operation that has some, float32 [bins]."""
        raise NotImplementedError

    def levels(self, count: int, draw: torch.Generator) -> Tensor:
        """Return which of the strengths each image gets."""
        raise NotImplementedError

    def start_epoch(
        self, sizes: Sequence[int], side: int, draw: torch.Generator, device: torch.device
    ) -> None:
        """Draw for batches of ``sizes`` images of ``side`` pixels; ``draw`` is a CPU generator."""
        strengths = self.magnitudes(side)
        table = torch.zeros(len(NAMES), self.bins, dtype=torch.float64)
        for name, own in strengths.items():
            table[NAMES.index(name)] = own.double()
        self.axis = torch.arange(side, device=device) - (side - 1) / 2
        self.rounds = []
        for _ in range(self.rounds_per_image):
            operation = torch.randint(len(NAMES), (sum(sizes),), generator=draw)
            level = self.levels(sum(sizes), draw)
            negative = torch.rand(sum(sizes), generator=draw) <= 0.5
            signed = torch.tensor([name in SIGNED for name in NAMES])[operation]
            magnitude = table[operation, level] * torch.where(negative & signed, -1, 1)
            self.rounds.append(_round(operation, level, negative, magnitude, sizes, side, device))

    def __call__(self, step: int, cut: slice, pixels: Tensor) -> Tensor:
        """Return a batch uint8 [B, H, W, C], the epoch's images at the positions ``cut``, changed."""
        for found in self.rounds:
            images = pixels[found.place[cut]].permute(0, 3, 1, 2)
            value, matrix = found.value[cut], found.matrix[cut]
            pieces = []
            for name, start, end in found.groups[step]:
                own = images[start:end]
                if name == "move":
                    pieces.append(operations.move(own, matrix[start:end], self.axis))
                else:
                    pieces.append(operations.BY_VALUE[name](own, value[start:end]))
            pixels = torch.cat(pieces)[found.back[cut]].permute(0, 2, 3, 1).contiguous()
        return pixels


def _round(
    operation: Tensor,
    level: Tensor,
    negative: Tensor,
    magnitude: Tensor,
    sizes: Sequence[int],
    side: int,
    device: torch.device,
) -> Round:
    """Sort each batch by operation, and move what a step needs to the device."""
    kinds = [*dict.fromkeys("move" if name in MOVES else name for name in NAMES)]
    kind = np.array([kinds.index("move" if name in MOVES else name) for name in NAMES])[operation.numpy()]
    place, back, groups, start = [], [], [], 0
    for size in sizes:
        order = kind[start : start + size].argsort(kind="stable")
        place.append(order)
        back.append(order.argsort())
        ends = np.bincount(kind[start : start + size], minlength=len(kinds)).cumsum().tolist()
        pairs = zip(kinds, [0, *ends], ends, strict=False)
        groups.append([(name, first, last) for name, first, last in pairs if first < last])
        start += size
    firsts = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
    sorted_ = torch.from_numpy(np.concatenate(place) + firsts)
    values, matrices = _values(operation, magnitude), _matrices(operation, magnitude, side)
    return Round(
        *(operation, level, negative),
        place=torch.from_numpy(np.concatenate(place)).to(device),
        back=torch.from_numpy(np.concatenate(back)).to(device),
        value=values[sorted_, None, None, None].float().to(device),
        matrix=matrices[sorted_].float().to(device),
        groups=groups,
    )


def _values(operation: Tensor, magnitude: Tensor) -> Tensor:
    """Return what the operations that move nothing take: a factor, bits, or a threshold in 0…255."""
    values = torch.where(operation == NAMES.index("posterize"), magnitude, 1 + magnitude)
    return torch.where(operation == NAMES.index("solarize"), 255 * magnitude, values)


def _matrices(operation: Tensor, magnitude: Tensor, side: int) -> Tensor:
    """Return affine maps [N, 2, 3] from pixels of the result to those of the image, from its centre."""
    amount = {name: torch.where(operation == NAMES.index(name), magnitude, 0.0) for name in MOVES}
    angle = amount["rotate"] * torch.pi / 180
    x, y = amount["shear_x"], amount["shear_y"]  # from the upper left corner
    rows = [
        [angle.cos(), x - angle.sin(), x * side / 2 - amount["translate_x"].trunc()],
        [y + angle.sin(), angle.cos(), y * side / 2 - amount["translate_y"].trunc()],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def _spread(
    bins: int, shear: float, shift: float, angle: float, factor: float, bits: int
) -> dict[str, Tensor]:
    """Return strengths from none to these, as torchvision computes them."""
    largest = dict.fromkeys(NAMES[1:3], shear) | dict.fromkeys(NAMES[3:5], shift)
    largest |= {"rotate": angle} | dict.fromkeys(NAMES[6:10], factor)
    return {name: torch.linspace(0.0, most, bins) for name, most in largest.items()} | {
        "posterize": (8 - torch.arange(bins) / ((bins - 1) / bits)).round(),
        "solarize": torch.linspace(1.0, 0.0, bins),
    }


class RandAugment(_Policy):
    """Several random operations of one strength per image.

    Args:
        num_ops: how many, one after the other.
        magnitude: the strength, counted from 0 to num_magnitude_bins - 1.
        num_magnitude_bins: of the scale of strengths.

    """

    def __init__(self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31) -> None:
        self.rounds_per_image, self.magnitude, self.bins = num_ops, magnitude, num_magnitude_bins

    def magnitudes(self, side: int) -> dict[str, Tensor]:
        """Return the strengths of each operation that has some, float32 [bins]."""
        return _spread(self.bins, shear=0.3, shift=150 / 331 * side, angle=30.0, factor=0.9, bits=4)

    def levels(self, count: int, draw: torch.Generator) -> Tensor:
        """Return the same for all images."""
        return torch.full((count,), self.magnitude)


class TrivialAugment(_Policy):
    """One random operation of random strength per image, from the wide space.

    Args:
        num_magnitude_bins: of the scale of strengths.

    """

    def __init__(self, num_magnitude_bins: int = 31) -> None:
        self.bins = num_magnitude_bins

    def magnitudes(self, side: int) -> dict[str, Tensor]:
        """Return the strengths of each operation that has some, float32 [bins]."""
        return _spread(self.bins, shear=0.99, shift=32.0, angle=135.0, factor=0.99, bits=6)

    def levels(self, count: int, draw: torch.Generator) -> Tensor:
        """Return which of the strengths each image gets."""
        return torch.randint(self.bins, (count,), generator=draw)
