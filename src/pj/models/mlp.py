"""A multilayer perceptron with one hidden layer."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pj.config.types import Dropout, Width
from pj.models.blocks import scaled

HIDDEN = 1024


class MLP(nn.Module):
    """linear 1024, BN, ReLU, dropout, linear classes.

    Args:
        batch_norm: normalise the hidden layer

    """

    LAYERS: ClassVar = {"conv": 0, "linear": 2}
    SMALL: ClassVar = True  # its runs share jobs on a cluster

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        batch_norm: bool = True,
        dropout: Dropout = 0.6,
    ) -> None:
        super().__init__()
        hidden = scaled(HIDDEN, width)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels * image_size * image_size, hidden),
            nn.BatchNorm1d(hidden) if batch_norm else nn.Identity(),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        return self.layers(x)
