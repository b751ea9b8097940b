"""Stacked conv-BN-activation stages and a large linear head."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from pj.config.types import Activation, Dropout, Width
from pj.models.blocks import ACTIVATIONS, conv_bn, pooled, scaled

STAGES = ((64, 64), (128, 128), (256, 256, 256))  # channels of the convolutions before each pooling
HEAD = (4096, 1024)


class ConvNet(nn.Module):
    """Seven 3x3 convolutions in three stages, then linear layers of 4096, 1024 and the classes.

    Args:
        activation: used after every convolution and hidden linear layer

    """

    LAYERS: ClassVar = {"conv": 7, "linear": 3}

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        activation: Activation = "relu",
        dropout: Dropout = 0.5,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for stage in STAGES:
            for size in stage:
                layers.append(conv_bn(channels, scaled(size, width), activation=activation))
                channels = scaled(size, width)
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        hidden = [
            channels * pooled(image_size, len(STAGES), "convnet") ** 2,
            *(scaled(h, width) for h in HEAD),
        ]
        head: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(hidden):
            head += [nn.Linear(inputs, outputs), ACTIVATIONS[activation](), nn.Dropout(dropout)]
        self.head = nn.Sequential(*head, nn.Linear(hidden[-1], num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        return self.head(self.features(x))
