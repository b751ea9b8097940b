"""A convolutional network of two large kernels."""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor, nn

from pj.config.types import Dropout, Width
from pj.models.blocks import scaled


class CNN(nn.Module):
    """conv5 128 and conv7 512, each with BN, ReLU, dropout and a 5x5 max pool; linear classes.

    Args:
        batch_norm: normalise after each convolution
        dropout2d: drop whole channels instead of single values

    """

    LAYERS: ClassVar = {"conv": 2, "linear": 1}

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        batch_norm: bool = True,
        dropout: Dropout = 0.4,
        dropout2d: bool = False,
    ) -> None:
        super().__init__()
        c128, c512 = scaled(128, width), scaled(512, width)
        drop = nn.Dropout2d if dropout2d else nn.Dropout

        def block(inputs: int, channels: int, kernel: int, stride: int) -> list[nn.Module]:
            return [
                nn.Conv2d(inputs, channels, kernel, padding=kernel // 2),
                nn.BatchNorm2d(channels) if batch_norm else nn.Identity(),
                nn.ReLU(),
                drop(dropout),
                nn.MaxPool2d(5, stride=stride, padding=2),
            ]

        side = math.ceil(math.ceil(image_size / 3) / 4)  # a 5x5 pool with padding 2, stride s: ceil(side / s)
        self.features = nn.Sequential(*block(in_channels, c128, 5, 3), *block(c128, c512, 7, 4))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(c512 * side * side, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        return self.head(self.features(x))
