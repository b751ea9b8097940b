"""The operations of RandAugment and TrivialAugment on uint8 images [B, C, H, W], each with its own strength.

Equal to those of `torchvision.transforms.v2.functional`, which take one strength for all; without filling, by
the nearest pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pj.data import colour


def move(images: Tensor, matrix: Tensor, axis: Tensor) -> Tensor:
    """Return images whose pixel (x, y) is that at matrix · (x, y, 1), black outside.

    Args:
        images: [B, C, H, W] with H = W.
        matrix: [B, 2, 3], in pixels from the centre.
        axis: [W], the pixels' coordinates from the centre.

    """
    columns = matrix[:, None, None]  # [B, 1, 1, 2, 3]
    x, y = axis[None, :, None], axis[:, None, None]
    source = columns[..., 0] * x + columns[..., 1] * y + columns[..., 2]
    grid = source / (len(axis) / 2)
    moved = F.grid_sample(images.float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return moved.to(torch.uint8)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Return images blended with their means over 3x3 pixels, of which the middle one counts five times."""
    if images.shape[2] < 3:
        return images
    blurred = images.float()
    inner = blurred[..., 1:-1, 1:-1]
    inner.copy_(((9 * F.avg_pool2d(blurred, 3, stride=1) + 4 * inner) / 13).round())
    return (images + (blurred - images) * (1 - factor)).clamp(0, 255).to(torch.uint8)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Return images with only the first bits of each value."""
    step = 2 ** (8 - bits)
    return ((images / step).floor() * step).to(torch.uint8)


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Return images whose values from the threshold on are inverted."""
    return torch.where(images >= threshold, 255 - images, images)


def autocontrast(images: Tensor, _: Tensor) -> Tensor:
    """Return images of which each channel is stretched to 0…255, unless it is constant."""
    values = images.float()
    low, high = values.amin(dim=(2, 3), keepdim=True), values.amax(dim=(2, 3), keepdim=True)
    some = high > low
    scale = torch.where(some, (high - low) * (1 / 255), 1.0)
    return ((values - torch.where(some, low, 0.0)) / scale).clamp(0, 255).to(torch.uint8)


def equalize(images: Tensor, _: Tensor) -> Tensor:
    """Return images whose channels have values that are spread evenly."""
    from torchvision.transforms.v2 import functional  # slow to import, and needed in few runs

    equalized: Tensor = functional.equalize(images.contiguous())
    return equalized


BY_VALUE = {
    "identity": lambda images, _: images,
    "brightness": colour.brightness,
    "saturation": colour.saturation,
    "contrast": colour.contrast,
    "sharpness": sharpness,
    "posterize": posterize,
    "solarize": solarize,
    "autocontrast": autocontrast,
    "equalize": equalize,
}
