"""LeNet-5 with ReLU and max pooling."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pj.config.types import Width
from pj.models.blocks import scaled


class LeNet(nn.Module):
    """conv5 6, pool, conv5 16, pool, conv5 120, linear 84, linear classes (LeCun et al. 1998)."""

    LAYERS: ClassVar = {"conv": 3, "linear": 2}
    BATCH_NORM: ClassVar = False
    SMALL: ClassVar = True  # its runs share jobs on a cluster
    CONSUMERS: ClassVar = {"conv1": ["conv2"], "conv2": ["conv3"], "conv3": ["linear1"]}  # for pruning

    def __init__(
        self, *, num_classes: int = 10, in_channels: int = 1, image_size: int = 28, width: Width = 1.0
    ) -> None:
        super().__init__()
        side = (image_size // 2 - 4) // 2 - 4
        if side < 1:
            raise ValueError(f"lenet needs images of at least 28 pixels, not {image_size}")
        c6, c16, c120, c84 = (scaled(c, width) for c in (6, 16, 120, 84))
        self.conv1 = nn.Conv2d(in_channels, c6, 5, padding=2)
        self.conv2 = nn.Conv2d(c6, c16, 5)
        self.conv3 = nn.Conv2d(c16, c120, 5)
        self.fc1 = nn.Linear(c120 * side * side, c84)
        self.fc2 = nn.Linear(c84, num_classes)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        x = self.pool(self.conv1(x).relu())
        x = self.pool(self.conv2(x).relu())
        x = self.conv3(x).relu()
        return self.fc2(self.fc1(x.flatten(1)).relu())
