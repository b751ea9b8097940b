"""A nine-layer residual net, with and without shortcuts and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pj.config.types import Width
from pj.models.blocks import ResidualBlock, conv_bn, pooled, scaled


class ResNet9(nn.Module):
    """Stem, residual block, convolution, residual block, convolution, global max pool, linear."""

    LAYERS: ClassVar = {"conv": 8, "linear": 1}
    block: Callable[[int, int], nn.Module] = ResidualBlock
    MAPS: ClassVar = {"block1": "features.2", "block2": "features.5", "features": "features"}

    def __init__(
        self, *, num_classes: int = 10, in_channels: int = 3, image_size: int = 32, width: Width = 1.0
    ) -> None:
        super().__init__()
        pooled(image_size, 2, "resnet9")
        c64, c128, c256 = (scaled(c, width) for c in (64, 128, 256))
        self.features = nn.Sequential(
            conv_bn(in_channels, c64, bias=False),
            conv_bn(c64, c128, 5, stride=2, bias=False),
            self.block(c128, c128),
            conv_bn(c128, c256, bias=False),
            nn.MaxPool2d(2),
            self.block(c256, c256),
            conv_bn(c256, c128, bias=False),
        )
        self.head = nn.Linear(c128, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        return self.head(self.features(x).amax(dim=(2, 3)))


class PlainBlock(ResidualBlock):
    """The residual block without its shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, channels, H, W]."""
        return F.relu(self.residual(x))


class Plain9(ResNet9):
    """ResNet9 without its two shortcuts (which have no parameters), to measure their effect."""

    block = PlainBlock


class ChannelAttention(nn.Module):
    """Weight the channels by a shared MLP of the average and the maximum (CBAM, equation 2)."""

    def __init__(self, channels: int, ratio: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // ratio)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to weights [N, C, 1, 1] in (0, 1)."""
        average = self.mlp(x.mean(dim=(2, 3), keepdim=True))
        maximum = self.mlp(x.amax(dim=(2, 3), keepdim=True))
        return torch.sigmoid(average + maximum)


class SpatialAttention(nn.Module):
    """Weight the positions by a 7x7 convolution of the channels' mean and maximum (CBAM, equation 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to weights [N, 1, H, W] in (0, 1)."""
        summary = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.conv(summary))


class AttentionBlock(nn.Module):
    """The report's block: its shortcut starts *after* the first conv-BN-ReLU.

    Attention: Woo et al. 2018, "CBAM: Convolutional Block Attention Module".
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.entry = conv_bn(in_channels, channels)
        self.residual = conv_bn(channels, channels, activation=None)
        self.channel_attention = ChannelAttention(channels)
        self.spatial_attention = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, channels, H, W]."""
        shortcut = self.entry(x)
        y = self.residual(shortcut)
        y = y * self.channel_attention(y)
        y = y * self.spatial_attention(y)
        return F.relu(y + shortcut)


class CBAMResNet9(ResNet9):
    """ResNet9 with attention in its two blocks, whose shortcuts start after the first convolution."""

    LAYERS: ClassVar = {"conv": 14, "linear": 1}

    block = AttentionBlock
