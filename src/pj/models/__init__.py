"""Networks, by name.

The registry names modules instead of importing them, so that nothing here loads torch and the code
fingerprint of a run follows the one module that the run uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pj import registry

if TYPE_CHECKING:
    from torch import nn

REGISTRY = {
    "convnet": "pj.models.convnet:ConvNet",
    "resnet9": "pj.models.resnet9:ResNet9",
    "plain9": "pj.models.resnet9:Plain9",
    "cbam_resnet9": "pj.models.resnet9:CBAMResNet9",
    "full_convnet": "pj.models.full_convnet:FullConvNet",
    "res_full_convnet": "pj.models.full_convnet:ResFullConvNet",
    "wide_resnet": "pj.models.wide_resnet:WideResNet",
    "vgg_a": "pj.models.vgg_a:VGGA",
    "lenet": "pj.models.lenet:LeNet",
    "dessi_vgg": "pj.models.dessi_vgg:DessiVGG",
    "mlp": "pj.models.mlp:MLP",
    "cnn": "pj.models.cnn:CNN",
    "torchvision": "pj.models.libraries:torchvision",
    "timm": "pj.models.libraries:timm",
    "own": "pj.own:model",
}


def names() -> list[str]:
    """Return the names of pj's own networks."""
    return [name for name in REGISTRY if name not in ("torchvision", "timm", "own")]


def create(name: str, *, num_classes: int = 10, in_channels: int = 3, **options: Any) -> nn.Module:
    """Build a network that maps images [N, in_channels, H, W] to logits [N, num_classes].

    Options are those of the network's class; all take ``width`` (a multiplier of the hidden sizes) and
    ``image_size`` (H = W, pixels). Raises ValueError for an unknown name.
    """
    network: nn.Module = registry.find(REGISTRY, name, "model")(
        num_classes=num_classes, in_channels=in_channels, **options
    )
    return network
