"""CutMix: rectangles pasted from one image into another, and labels mixed by area.

Yun et al. 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features",
equations 1 and 2: lambda ~ Beta(alpha, alpha), a rectangle of sides W √(1 - lambda), its centre uniform,
clipped at the image's edge; one rectangle for all images of a batch, each paired with a random other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pj.data import pairs


class CutMix:
    """The rectangles and pairs of an epoch, drawn at its start and pasted batch by batch.

    Every batch is mixed (the authors' code mixes half of them). The rectangles are tensors on the device, so
    that no step waits for them or branches on them.

    Args:
        num_classes: K.
        alpha: of Beta(alpha, alpha).
        adjust_lambda: whether lambda becomes the share of pixels that the clipped rectangle leaves.

    Raises:
        ValueError: alpha not above 0.

    """

    def __init__(self, num_classes: int, alpha: float = 1.0, adjust_lambda: bool = True) -> None:
        if not alpha > 0:
            raise ValueError(f"CutMix needs alpha > 0, not {alpha}")
        self.num_classes, self.alpha, self.adjust_lambda = num_classes, alpha, adjust_lambda

    def start_epoch(
        self, sizes: Sequence[int], side: int, draw: torch.Generator, device: torch.device
    ) -> None:
        """Draw for batches of ``sizes`` images of ``side`` pixels; ``draw`` is a CPU generator."""
        kept = pairs.weights(self.alpha, len(sizes), draw)
        # half sides rounded down and centres on whole pixels, as in torchvision
        half = (0.5 * (1 - kept).sqrt() * side).long()
        centre = torch.randint(side, (2, len(sizes)), generator=draw)
        low, high = (centre - half).clamp(min=0), (centre + half).clamp(max=side)
        if self.adjust_lambda:
            kept = 1 - (high - low).prod(dim=0) / side**2
        self.boxes = torch.cat([low, high]).T.to(device)  # top, left, bottom, right
        self.kept = kept.float().to(device)
        self.partner = pairs.partners(sizes, draw).to(device)
        self.pixels = torch.arange(side, device=device)

    def __call__(self, step: int, cut: slice, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mix a batch.

        Args:
            step: which batch of the epoch.
            cut: positions of its images in the epoch.
            images: [B, C, H, W]; not modified.
            labels: int64 [B].

        Returns:
            Images [B, C, H, W] and probabilities float32 [B, K].

        """
        top, left, bottom, right = self.boxes[step]
        rows = (self.pixels >= top) & (self.pixels < bottom)
        columns = (self.pixels >= left) & (self.pixels < right)
        partner = self.partner[cut]
        mixed = torch.where(rows[:, None] & columns, images[partner], images)
        return mixed, pairs.mixed_labels(labels, partner, self.kept[step], self.num_classes)
