"""Changes of colour with a factor per image, on uint8 images [B, C, H, W].

Equal to torchvision's ``adjust_brightness`` and so on of uint8 tensors, which take one factor for all: their
results are cut to whole numbers, not rounded.
"""

from __future__ import annotations

import torch
from torch import Tensor

GREY = (0.2989, 0.587, 0.114)  # of red, green and blue, as in torchvision
HUES = (5.0, 3.0, 1.0)  # where red, green and blue are on the circle of hues, in sixths


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Return images times factors [B, 1, 1, 1]."""
    return (images * factor).clamp(0, 255).to(torch.uint8)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Return images blended with the mean of their grey versions."""
    return blend(images, grey(images).mean(dim=(1, 2, 3), keepdim=True), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Return images blended with their grey versions; grey images as they are."""
    return images if images.shape[1] == 1 else blend(images, grey(images), factor)


def hue(images: Tensor, turn: Tensor) -> Tensor:
    """Return images with their hues turned by a share of the circle [B, 1, 1, 1]; grey images as they are.

    Of HSV with hue h in sixths, value v and chroma c, the channel n is
    v - c · clamp(min(k, 4 - k), 0, 1) with k = (n + h) mod 6.
    """
    if images.shape[1] == 1:
        return images
    red, green, blue = (images.float() / 255).unbind(dim=1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    some = torch.where(chroma > 0, chroma, 1.0)
    of_blue = torch.where(value == green, (blue - red) / some + 2, (red - green) / some + 4)
    h = torch.where(value == red, (green - blue) / some, of_blue) + 6 * turn[:, 0]
    turned = []
    for n in HUES:
        k = (h + n).remainder(6)
        turned.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return (torch.stack(turned, dim=1) * (256 - 1e-3)).to(torch.uint8)  # as torchvision scales


def grey(images: Tensor) -> Tensor:
    """Return brightness as whole numbers, float32 [B, 1, H, W]."""
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images.unbind(dim=1)
    return (red * GREY[0] + green * GREY[1] + blue * GREY[2]).floor()[:, None]


def blend(images: Tensor, others: Tensor, factor: Tensor) -> Tensor:
    """Return factor · images + (1 - factor) · others, clamped to 0…255."""
    return (images * factor + others * (1 - factor)).clamp(0, 255).to(torch.uint8)
