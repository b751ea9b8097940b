"""Fully convolutional networks, plain and residual."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from pj.config.types import Dropout, Width
from pj.models.blocks import ResidualBlock, conv_bn, pooled, scaled

PLAIN_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024))
RESIDUAL_STAGES = (64, 128, 256, 512, 512)
HEAD = 4096


class CentreTapConv2d(nn.Conv2d):
    """A padded 3x3 convolution of 1x1 maps.

    Eight of its nine taps read only padding, so a linear layer on the centre tap gives the same output and
    the same gradients for a ninth of the work; the other taps still receive weight decay.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, 1, 1] to [N, channels, 1, 1]."""
        if x.shape[2:] != (1, 1):
            return super().forward(x)
        # [channels, 9, in_channels], the order of channels_last: the gradient need not be copied into it
        taps = self.weight.permute(0, 2, 3, 1).flatten(1, 2)
        return F.linear(x.flatten(1), taps[:, 4], self.bias)[:, :, None, None]


class FullyConvolutional(nn.Module):
    """Five stages, each of which halves the image, then a head of three convolutions."""

    def __init__(
        self, stages: list[nn.Module], channels: int, num_classes: int, width: float, dropout: float
    ) -> None:
        super().__init__()
        hidden = scaled(HEAD, width)
        self.features = nn.Sequential(*stages)
        self.head = nn.Sequential(
            CentreTapConv2d(channels, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            CentreTapConv2d(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            CentreTapConv2d(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        return self.head(self.features(x)).mean(dim=(2, 3))


class FullConvNet(FullyConvolutional):
    """Plain conv-BN-ReLU stages of 64 x2, 128 x2, 256 x3, 512 x3, 1024 x3."""

    LAYERS: ClassVar = {"conv": 16, "linear": 0}

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        dropout: Dropout = 0.5,
    ) -> None:
        pooled(image_size, len(PLAIN_STAGES), "full_convnet")
        layers: list[nn.Module] = []
        channels = in_channels
        for stage in PLAIN_STAGES:
            for size in stage:
                layers.append(conv_bn(channels, scaled(size, width)))
                channels = scaled(size, width)
            layers.append(nn.MaxPool2d(2))
        super().__init__(layers, channels, num_classes, width, dropout)


class ResFullConvNet(FullyConvolutional):
    """One residual block per stage: 64, 128, 256, 512, 512."""

    LAYERS: ClassVar = {"conv": 17, "linear": 0}

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        dropout: Dropout = 0.5,
    ) -> None:
        pooled(image_size, len(RESIDUAL_STAGES), "res_full_convnet")
        layers: list[nn.Module] = []
        channels = in_channels
        for size in RESIDUAL_STAGES:
            layers += [ResidualBlock(channels, scaled(size, width)), nn.MaxPool2d(2)]
            channels = scaled(size, width)
        super().__init__(layers, channels, num_classes, width, dropout)
