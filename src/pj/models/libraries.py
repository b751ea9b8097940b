"""Classification networks of torchvision and timm, untrained."""

from __future__ import annotations

from typing import Any

from torch import nn

from pj.config.messages import nearest
from pj.config.types import Switch
from pj.errors import UserError

AUXILIARY = ("googlenet", "inception_v3")  # return further logits in training, unless they are switched off


def torchvision(
    *,
    num_classes: int,
    in_channels: int,
    image_size: int,
    arch: str,
    cifar_stem: Switch = None,
    options: dict | None = None,
) -> nn.Module:
    """Return a classification network of torchvision, without pretrained weights.

    Args:
        num_classes: K.
        in_channels: of the images; for others than 3 the first convolution is made anew.
        image_size: pixels per side; what a vision transformer is made for.
        arch: its name there, such as resnet18.
        cifar_stem: of residual and dense nets: begin with a 3x3 convolution of stride 1 without pooling, as
            He et al. 2016 (section 4.2) do for CIFAR, instead of shrinking images four times.
        options: further arguments of its builder, such as dropout.

    """
    from torchvision import models

    given = dict(options or {})
    if arch in AUXILIARY:
        given = {"aux_logits": False, "init_weights": True} | given
    if arch.startswith("vit_"):
        given = {"image_size": image_size} | given
    try:
        network: nn.Module = models.get_model(arch, weights=None, num_classes=num_classes, **given)
    except Exception as error:  # options that do not fit fail in as many ways as there are builders
        raise UserError(f"torchvision's {arch} with {given}: {_reason(error)}") from None
    if cifar_stem:
        _shrink_stem(network)
    if in_channels != 3:
        _replace_first(network, in_channels=in_channels)
    return network


def timm(
    *, num_classes: int, in_channels: int, image_size: int, arch: str, options: dict | None = None
) -> nn.Module:
    """Return a network of timm, without pretrained weights; needs ``pip install timm``.

    Args:
        num_classes: K.
        in_channels: of the images.
        image_size: pixels per side.
        arch: its name there, such as resnet18.
        options: further arguments of timm.create_model, such as img_size of a vision transformer.

    """
    import timm

    try:
        network: nn.Module = timm.create_model(
            arch, pretrained=False, num_classes=num_classes, in_chans=in_channels, **(options or {})
        )
    except Exception as error:
        did = nearest(arch, timm.list_models())
        raise UserError(f"timm's {arch} with {options or {}}: {_reason(error)}{did}") from None
    return network


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _shrink_stem(network: Any) -> None:
    """Let a network for 224 pixels begin as one for 32 does."""
    _replace_first(network, kernel_size=3, stride=1, padding=1)
    if hasattr(network, "maxpool"):
        network.maxpool = nn.Identity()
    else:
        network.features.pool0 = nn.Identity()


def _replace_first(network: nn.Module, **changes: Any) -> None:
    """Make the first convolution anew with some arguments changed, initialised as in torchvision's ResNet."""
    path, old = next((path, m) for path, m in network.named_modules() if isinstance(m, nn.Conv2d))
    keys = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
    settings = {key: getattr(old, key) for key in keys} | {"bias": old.bias is not None} | changes
    new = nn.Conv2d(**settings)
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, new)
