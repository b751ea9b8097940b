"""VGG-A with and without batch norm."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pj.config.types import Width
from pj.models.blocks import conv_bn, pooled, scaled

STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
HIDDEN = 512


class VGGA(nn.Module):
    """Eight 3x3 convolutions in five stages, linear 512, 512 and the classes (Simonyan & Zisserman 2015).

    Args:
        batch_norm: normalise after each convolution

    """

    LAYERS: ClassVar = {"conv": 8, "linear": 3}

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for stage in STAGES:
            for size in stage:
                out = scaled(size, width)
                if batch_norm:
                    layers.append(conv_bn(channels, out))
                else:
                    layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
                channels = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        hidden = scaled(HIDDEN, width)
        side = pooled(image_size, len(STAGES), "vgg_a")
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * side * side, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        return self.head(self.features(x))
