"""Feature maps of a network, and Grad-CAM: the places of an image that raise a class's logit.

Grad-CAM: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", equations 1 and 2. Layers are named as in `pj.models.layer_names.maps`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pj.models import layer_names
from pj.models.mode import eval_mode


def feature_maps(model: nn.Module, layer: str, images: Tensor) -> Tensor:
    """Return a layer's output for images [N, C, H, W], in eval mode: float [N, channels, h, w].

    ValueError for an unknown layer; the message lists the layers.
    """
    with _watched(model, layer) as seen, torch.no_grad():
        model(images)
    return seen[-1].detach()


def class_maps(
    model: nn.Module,
    layer: str,
    images: Tensor,
    target: Tensor | None = None,
    *,
    rectified: bool = True,
    check: bool = True,
) -> Tensor:
    """Return Grad-CAM as the paper defines it: on the layer's own grid, not scaled.

    The channels of the layer's maps A are summed with weights, the spatial means of ∂(logit of the
    class)/∂A, and negative values are set to zero.

    Args:
        model: maps images to logits [N, K]; measured in eval mode, not modified.
        layer: whose output is A; that of its last call if the network calls it several times.
        images: [N, C, H, W], normalised.
        target: the class of each map, int64 [N]; None: the predicted ones.
        rectified: set negative values, which count against the class, to zero.
        check: look whether ``target`` holds classes of the network, which waits for the device.

    Returns:
        float [N, h, w], at least 0 if rectified.

    Raises:
        ValueError: an unknown layer (the message lists the layers) or class.

    """
    with _watched(model, layer) as seen, torch.enable_grad():
        logits = model(images)
        chosen = logits.argmax(dim=1) if target is None else target
        if check and target is not None and (target.min() < 0 or target.max() >= logits.shape[1]):
            raise ValueError(f"target: {target.tolist()}; allowed: classes 0 to {logits.shape[1] - 1}")
        (gradient,) = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), seen[-1])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    found = (weights * seen[-1].detach()).sum(dim=1)
    return F.relu(found) if rectified else found


def grad_cam(model: nn.Module, layer: str, images: Tensor, target: Tensor | None = None) -> Tensor:
    """Return Grad-CAM for display: enlarged bilinearly to the images' size, each map's maximum 1.

    Arguments and errors are those of `class_maps`. Returns float [N, H, W] in [0, 1]; a map that is zero
    everywhere (no place counts for the class) stays zero.
    """
    return displayed(class_maps(model, layer, images, target), images.shape[-2:])


def displayed(maps: Tensor, size: torch.Size) -> Tensor:
    """Return maps [N, h, w] enlarged to ``size`` and divided by their maxima: [N, H, W] in [0, 1]."""
    large = enlarged(maps, size)
    return large / large.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(large.dtype).tiny)


def enlarged(maps: Tensor, size: torch.Size) -> Tensor:
    """Return maps [N, h, w] enlarged bilinearly to ``size``: [N, H, W]."""
    return F.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


@contextmanager
def _watched(model: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """Collect a layer's outputs in a list, as leaves, so that gradients stop there; in eval mode."""
    places = layer_names.maps(model)
    if layer not in places:
        raise ValueError(f"no layer named {layer!r} with feature maps; available: {', '.join(places)}")
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim != 4:
            shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(f"the layer {layer!r} gives {shape}, no maps [N, C, H, W]")
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()  # the next layer may change it in place

    handle = model.get_submodule(places[layer]).register_forward_hook(keep)
    try:
        with eval_mode(model):
            yield seen
    finally:
        handle.remove()
