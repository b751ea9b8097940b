"""Blocks that several networks share."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,  # slope 0.01, as in the report
}


def scaled(size: int, width: float) -> int:
    """Return a hidden size times the width multiplier, at least 4."""
    return max(4, round(size * width))


def pooled(image_size: int, halvings: int, model: str) -> int:
    """Return the side of a square map after ``halvings`` poolings by 2; ValueError if nothing is left."""
    side = image_size >> halvings
    if side < 1:
        raise ValueError(f"{model} halves the image {halvings} times; {image_size} pixels are too few")
    return side


def conv_bn(
    in_channels: int,
    channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    bias: bool = True,
    activation: str | None = "relu",
) -> nn.Sequential:
    """Convolution that keeps the size (at stride 1), batch norm, activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2, bias=bias),
        nn.BatchNorm2d(channels),
    ]
    if activation is not None:
        layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """conv-BN-ReLU-conv-BN + shortcut, ReLU; a 1x1 conv-BN shortcut where the channels change.

    He et al. 2016, "Deep Residual Learning for Image Recognition", figure 2.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            conv_bn(in_channels, channels, bias=False),
            conv_bn(channels, channels, bias=False, activation=None),
        )
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != channels:
            self.shortcut = conv_bn(in_channels, channels, 1, bias=False, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, channels, H, W]."""
        return F.relu(self.residual(x) + self.shortcut(x))
