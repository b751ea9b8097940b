"""Wide residual networks (Zagoruyko & Komodakis 2016)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pj.config.types import Count, Width, spaced
from pj.models.blocks import scaled


class PreActivationBlock(nn.Module):
    """BN-ReLU-conv-BN-ReLU-conv + shortcut; where shapes change, a 1x1 conv of the activated input."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.shortcut: nn.Conv2d | None = None
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, channels, H / stride, W / stride]."""
        activated = F.relu(self.bn1(x))
        residual = self.conv2(F.relu(self.bn2(self.conv1(activated))))
        return residual + (x if self.shortcut is None else self.shortcut(activated))


class WideResNet(nn.Module):
    """WRN-depth-k: channels 16·{1, k, 2k, 4k}, (depth - 4) / 6 blocks per group, no dropout.

    Depth 16 is the paper's WRN-16-8; for "16" the report's code built depth 22. Convolutions start
    from He's normal distribution by fan-in and the head from zero; the authors' code uses fan-out.

    Args:
        depth: layers along the longest path, 6n + 4
        widen_factor: the paper's k

    """

    # the stem, two per block, and a shortcut where channels or sizes change
    LAYERS: ClassVar = {
        "conv": "1 + (depth - 4) + 2"
        " + (max(4, round(16 * widen_factor * width)) != max(4, round(16 * width)))",
        "linear": 1,
    }
    MAPS: ClassVar = {
        "block1": "groups.0",
        "block2": "groups.1",
        "block3": "groups.2",
        "features": "activation",
    }

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        depth: Annotated[int, Field(ge=10), spaced(10, 6)] = 16,
        widen_factor: Count = 8,
    ) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"the depth of a wide residual network is 6n + 4 (10, 16, 22, …), not {depth}")
        if image_size < 4:
            raise ValueError(f"wide_resnet needs images of at least 4 pixels, not {image_size}")
        channels = scaled(16, width)
        self.stem = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        groups = []
        for group, stride in enumerate((1, 2, 2)):
            size = scaled(16 * widen_factor * 2**group, width)
            blocks = []
            for block in range((depth - 4) // 6):
                blocks.append(PreActivationBlock(channels, size, stride if block == 0 else 1))
                channels = size
            groups.append(nn.Sequential(*blocks))
        self.groups = nn.Sequential(*groups)
        self.bn = nn.BatchNorm2d(channels)
        self.activation = nn.ReLU()
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        features = self.activation(self.bn(self.groups(self.stem(x))))
        return self.head(features.mean(dim=(2, 3)))
