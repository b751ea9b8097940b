"""Colour jitter: random brightness, contrast, saturation and hue, as torchvision's ColorJitter draws them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pj.data import colour

CHANGES = (colour.brightness, colour.contrast, colour.saturation, colour.hue)


class Jitter:
    """The factors of an epoch, drawn at its start and applied batch by batch.

    Each image has factors of its own; the order of the four changes is random, too, and the same for the
    images of a batch. So each image is changed as ColorJitter would change it.

    Args:
        brightness: x of a factor uniform in [max(0, 1 - x), 1 + x].
        contrast: the same.
        saturation: the same.
        hue: x of a turn uniform in [-x, x], as a share of the circle; at most 0.5.

    """

    def __init__(
        self, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0, hue: float = 0.0
    ) -> None:
        self.ranges = [(max(0.0, 1 - x), 1 + x) for x in (brightness, contrast, saturation)] + [(-hue, hue)]
        self.used = [x > 0 for x in (brightness, contrast, saturation, hue)]

    def start_epoch(
        self, sizes: Sequence[int], side: int, draw: torch.Generator, device: torch.device
    ) -> None:
        """Draw for batches of ``sizes`` images; ``draw`` is a CPU generator."""
        uniform = torch.rand(len(CHANGES), sum(sizes), generator=draw)
        low, high = torch.tensor(self.ranges).T[..., None]
        self.factors = (low + (high - low) * uniform)[..., None, None, None].to(device)
        orders = (torch.randperm(len(CHANGES), generator=draw).tolist() for _ in sizes)
        self.orders = [[change for change in order if self.used[change]] for order in orders]

    def __call__(self, step: int, cut: slice, pixels: Tensor) -> Tensor:
        """Return a batch uint8 [B, H, W, C], the epoch's images at the positions ``cut``."""
        images = pixels.permute(0, 3, 1, 2)
        for change in self.orders[step]:
            images = CHANGES[change](images, self.factors[change, cut])
        return images.permute(0, 2, 3, 1).contiguous()
