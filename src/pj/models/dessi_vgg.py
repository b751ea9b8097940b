"""A VGG of four convolutions, with a skip connection before its last ReLU."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pj.config.types import Dropout, Width
from pj.models.blocks import conv_bn, pooled, scaled


class DessiVGG(nn.Module):
    """conv-BN-ReLU 64, 128, 256, then 256 with a skip before its ReLU; linear 4096, 1024, classes."""

    LAYERS: ClassVar = {"conv": 4, "linear": 3}
    # for pruning: the layers that read a layer's channels, and the module that carries them past the next one
    CONSUMERS: ClassVar = {"conv1": ["conv2"], "conv2": ["conv3"], "conv3": ["conv4"]}
    SKIPS: ClassVar = {"conv3": "skip"}

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        dropout: Dropout = 0.5,
    ) -> None:
        super().__init__()
        c64, c128, c256, h4096, h1024 = (scaled(c, width) for c in (64, 128, 256, 4096, 1024))
        side = pooled(image_size, 3, "dessi_vgg")
        self.conv1 = conv_bn(in_channels, c64)
        self.conv2 = conv_bn(c64, c128)
        self.conv3 = conv_bn(c128, c256)
        self.conv4 = conv_bn(c256, c256, activation=None)
        self.skip = nn.Identity()
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(c256 * side * side, h4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(h4096, h1024),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(h1024, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(x))
        x = self.conv3(x)
        x = self.pool((self.conv4(x) + self.skip(x)).relu())
        return self.head(x)
