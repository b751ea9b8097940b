"""Rectangles of images set to zero, which is the mean if it was subtracted: Cutout and random erasing.

The rectangles of an epoch are drawn at its start on the CPU and moved to the device once, so that no step
waits for them or branches on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

ATTEMPTS = 10  # of random erasing to find a rectangle that is smaller than the image, as in torchvision


class _Rectangles:
    boxes: Tensor  # int64 [N, 4]: top, left, bottom, right; empty where bottom = top
    pixels: Tensor

    def start_epoch(
        self, sizes: Sequence[int], side: int, draw: torch.Generator, device: torch.device
    ) -> None:
        """Draw for batches of ``sizes`` images of ``side`` pixels; ``draw`` is a CPU generator."""
        low, high = self._drawn(sum(sizes), side, draw)
        self.boxes = torch.cat([low, high]).T.to(device)
        self.pixels = torch.arange(side, device=device)

    def _drawn(self, count: int, side: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the first row and column of each rectangle, and those after the last, int64 [2, N]."""
        raise NotImplementedError

    def __call__(self, step: int, cut: slice, images: Tensor) -> Tensor:
        """Return a batch [B, C, H, W], the epoch's images at the positions ``cut``, with zeros."""
        top, left, bottom, right = self.boxes[cut, :, None].unbind(dim=1)
        rows = (self.pixels >= top) & (self.pixels < bottom)
        columns = (self.pixels >= left) & (self.pixels < right)
        inside = (rows[:, :, None] & columns[:, None, :])[:, None]
        # masked_fill would change the memory order
        return torch.where(inside, torch.zeros_like(images), images)


class Cutout(_Rectangles):
    """A square of every image.

    DeVries & Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout", section
    3.2: its side is fixed, its centre uniform over the image's pixels, so that the edge may clip it.

    Args:
        side: in pixels.

    """

    def __init__(self, side: int) -> None:
        self.side = side

    def _drawn(self, count: int, side: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        low = torch.randint(side, (2, count), generator=draw) - self.side // 2
        return low.clamp(min=0), (low + self.side).clamp(max=side)


class Erasing(_Rectangles):
    """A rectangle of some images.

    Zhong et al. 2020, "Random Erasing Data Augmentation", algorithm 1, as in torchvision's RandomErasing: an
    area and a ratio are drawn until the rectangle is smaller than the image, ten times at most; its place is
    uniform. Without such a rectangle the image stays as it is.

    Args:
        p: share of images that lose a rectangle.
        scale: least and largest area, as a share of the image's.
        ratio: least and largest height over width, uniform on a log scale.

    """

    def __init__(
        self, p: float = 0.5, scale: Sequence[float] = (0.02, 0.33), ratio: Sequence[float] = (0.3, 3.3)
    ) -> None:
        self.p, self.scale, self.ratio = p, scale, ratio

    def _drawn(self, count: int, side: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        def uniform(low: float, high: float, *size: int) -> Tensor:
            return low + (high - low) * torch.rand(*size, count, generator=draw, dtype=torch.float64)

        area = side**2 * uniform(self.scale[0], self.scale[1], ATTEMPTS)
        ratio = uniform(log(self.ratio[0]), log(self.ratio[1]), ATTEMPTS).exp()
        sizes = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()]).round().long()
        fits = (sizes < side).all(dim=0)
        size = sizes[:, fits.int().argmax(dim=0), torch.arange(count)]  # the first that fits
        erased = (uniform(0, 1) < self.p) & fits.any(dim=0)
        size = torch.where(erased, size, 0)
        low = (uniform(0, 1, 2) * (side - size + 1)).long()
        return low, low + size
