"""mixup: weighted means of two images and of their labels.

Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", equation in section 1 and figure 1a, as in the
authors' code: lambda ~ Beta(alpha, alpha), one for all images of a batch, each paired with a random other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pj.data import pairs


class MixUp:
    """The weights and pairs of an epoch, drawn at its start and applied batch by batch.

    Args:
        num_classes: K.
        alpha: of Beta(alpha, alpha); above 0.

    """

    def __init__(self, num_classes: int, alpha: float = 1.0) -> None:
        self.num_classes, self.alpha = num_classes, alpha

    def start_epoch(
        self, sizes: Sequence[int], side: int, draw: torch.Generator, device: torch.device
    ) -> None:
        """Draw for batches of ``sizes`` images; ``draw`` is a CPU generator."""
        self.kept = pairs.weights(self.alpha, len(sizes), draw).float().to(device)
        self.partner = pairs.partners(sizes, draw).to(device)

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
        partner, kept = self.partner[cut], self.kept[step]
        mixed = torch.lerp(images[partner], images, kept)
        return mixed, pairs.mixed_labels(labels, partner, kept, self.num_classes)
