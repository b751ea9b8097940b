"""Pruning of trained networks: orders of removal, the masked network, and the narrowed one.

A unit is an output filter of a convolution, or a single weight of a linear layer.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pj.config.analyses.pruning import Order
from pj.models.layer_names import layers
from pj.training.device import FAULTS

METHODS = get_args(Order)


@dataclass(frozen=True)
class Size:
    """The parameters and operations of a network."""

    parameters: int
    nonzero: int
    macs: int  # multiply-accumulate operations for one image


def unit_norms(weight: Tensor) -> Tensor:
    """Return the norm of every unit, flat: [C_out] for filters, [out · in] for a linear layer's weights."""
    return torch.linalg.vector_norm(weight.flatten(1), dim=1) if weight.ndim == 4 else weight.abs().flatten()


def order(
    weight: Tensor,
    method: str,
    *,
    gamma: Tensor | None = None,
    selected: Tensor | None = None,
    draw: torch.Generator | None = None,
) -> Tensor:
    """Return the indices of a layer's units, int64 [U], from the last to be removed to the first.

    Args:
        weight: of a convolution [C_out, C_in, k, k] or a linear layer [out, in].
        method: ``path`` (the epoch of first selection, then ‖Γ‖, then ‖W‖), ``magnitude`` (‖W‖) or
            ``random``.
        gamma: Γ, shaped as the weight; for ``path``.
        selected: the epoch at which each unit was first selected, below 0 for never; for ``path``.
        draw: a CPU generator; for ``random``.

    Raises:
        ValueError: an unknown method, or ``path`` for a network that has no Γ.

    """
    norms = unit_norms(weight).cpu()
    if method == "random":
        return torch.randperm(len(norms), generator=draw)
    found = torch.argsort(norms, descending=True, stable=True)
    if method == "magnitude":
        return found
    if method != "path":
        raise ValueError(f"no order {method!r}; available: {', '.join(METHODS)}")
    if gamma is None or selected is None:
        raise ValueError("the order path needs a Γ, which only training with dessilbi has")
    # stable sorts by the least important key first
    found = found[torch.argsort(unit_norms(gamma).cpu()[found], descending=True, stable=True)]
    epochs = selected.flatten().cpu().to(torch.float64)
    epochs = torch.where(epochs < 0, torch.inf, epochs)
    return found[torch.argsort(epochs[found], stable=True)]


def prunable(model: nn.Module) -> dict[str, int]:
    """Return the layers that can be pruned, with their number of units."""
    consumers = getattr(model, "CONSUMERS", {})
    found = {}
    for name, path in layers(model).items():
        weight = model.get_parameter(f"{path}.weight")
        if name in consumers:
            found[name] = len(weight)
        elif weight.ndim == 2:
            found[name] = weight.numel()
    return found


def check_prunable(model: nn.Module, names: Iterable[str]) -> None:
    """Raise ValueError for a layer that cannot be pruned; the message lists those that can."""
    known = prunable(model)
    for name in names:
        if name not in known:
            raise ValueError(f"no prunable layer named {name!r}; available: {', '.join(known)}")


def count(units: int, percent: float) -> int:
    """Return how many of a layer's units a percentage is, rounded, such that at least one is left.

    ValueError for a percentage outside [0, 100).
    """
    if not 0 <= percent < 100:
        raise ValueError(f"{percent:g} percent; allowed: from 0 to less than 100")
    return min(round(units * percent / 100), units - 1)


@torch.no_grad()
def masked(model: nn.Module, removed: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy without some units: their weights, and all that depends only on them, set to zero.

    That includes a filter's bias, and the scale and shift of the batch norm after it, which would otherwise
    leave a constant in its place.

    Args:
        model: not modified.
        removed: indices of units by layer.

    Raises:
        ValueError: a layer that cannot be pruned, or that would be removed entirely.

    """
    found = copy.deepcopy(model)
    for name, units in removed.items():
        layer, norm = _parts(found, name)
        if len(units) and len(units) >= prunable(model)[name]:
            raise ValueError(f"all {len(units)} units of {name} are to be removed; at least one must be left")
        if isinstance(layer, nn.Linear):
            layer.weight.view(-1)[units] = 0
            continue
        for tensor in _outputs(layer, norm):
            tensor[units] = 0
    return found


@torch.no_grad()
def narrowed(model: nn.Module, removed: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy that computes what `masked` does, with filters removed instead of zero.

    Removed weights of linear layers stay as zeros.
    """
    found: Any = masked(model, removed)
    for name, units in removed.items():
        layer, norm = _parts(found, name)
        if isinstance(layer, nn.Linear):
            continue
        channels = layer.weight.shape[0]
        gone = torch.zeros(channels, dtype=torch.bool)
        gone[units] = True
        kept = (~gone).nonzero().flatten().to(layer.weight.device)
        _keep_outputs(layer, norm, kept)
        paths = layers(found)
        for consumer in found.CONSUMERS[name]:
            _keep_inputs(found.get_submodule(paths[consumer]), kept, channels)
        if name in getattr(found, "SKIPS", {}):
            setattr(found, found.SKIPS[name], Scatter(kept, channels))
    return found


@torch.no_grad()
def checked(model: nn.Module, removed: Mapping[str, Tensor], images: Tensor) -> nn.Module:
    """Return the narrowed network once it has computed what the masked one does.

    Args:
        model: in eval mode; not modified.
        removed: indices of units by layer.
        images: normalised [N, C, H, W], for which both are computed.

    Raises:
        ValueError: they differ or cannot be computed, since the network is not built as `narrowed` expects.

    """
    known = getattr(model, "CONSUMERS", ())
    filters = [name for name, units in removed.items() if len(units) and name in known]
    if not filters:
        return narrowed(model, removed)
    wanted = masked(model, removed)(images)
    try:
        found = narrowed(model, removed)
        same = torch.allclose(found(images), wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    except FAULTS:
        raise
    except Exception:  # what a forward pass raises where shapes do not fit
        same = False
    if not same:
        raise ValueError(
            f"{', '.join(filters)} cannot be pruned: without the filters the network is not what it is with "
            "zeros in their place. Needed: a batch norm is the next part of the same nn.Sequential, the "
            "activation of 0 is 0, as ReLU's, and CONSUMERS names all layers that read the filters"
        )
    return found


class Scatter(nn.Module):
    """Put the channels of a narrowed layer back in their places among zeros, for a skip connection."""

    def __init__(self, kept: Tensor, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.kept: Tensor
        self.register_buffer("kept", kept)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, kept, H, W] to [N, channels, H, W]."""
        wide = x.new_zeros(x.shape[0], self.channels, *x.shape[2:])
        return wide.index_copy(1, self.kept, x)


def size(model: nn.Module, image: Tensor) -> Size:
    """Return a network's number of parameters, of non-zero ones, and of MACs for an image [1, C, H, W]."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its attention is not counted
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(image)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    parameters = list(model.parameters())
    return Size(
        parameters=sum(p.numel() for p in parameters),
        nonzero=sum(int(torch.count_nonzero(p)) for p in parameters),
        macs=counter.get_total_flops() // 2,
    )


def _parts(model: nn.Module, name: str) -> tuple[Any, Any]:
    """Return a prunable layer and the batch norm after it; ValueError lists the prunable layers."""
    check_prunable(model, [name])
    path = layers(model)[name]
    parent, _, last = path.rpartition(".")
    around = model.get_submodule(parent)
    behind = list(around.children())[int(last) + 1 :] if isinstance(around, nn.Sequential) else []
    norm = behind[0] if behind and isinstance(behind[0], nn.BatchNorm2d) else None
    return model.get_submodule(path), norm


def _outputs(layer: Any, norm: Any) -> list[Tensor]:
    """Return the tensors that have an entry for each filter: 0 in all of them makes its output 0."""
    found = [layer.weight, layer.bias, *((norm.weight, norm.bias) if norm is not None else ())]
    return [t for t in found if t is not None]


def _keep_outputs(layer: Any, norm: Any, kept: Tensor) -> None:
    layer.weight = nn.Parameter(layer.weight[kept])
    layer.out_channels = len(kept)
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias[kept])
    if norm is not None:
        norm.weight, norm.bias = nn.Parameter(norm.weight[kept]), nn.Parameter(norm.bias[kept])
        norm.running_mean, norm.running_var = norm.running_mean[kept], norm.running_var[kept]
        norm.num_features = len(kept)


def _keep_inputs(layer: Any, kept: Tensor, channels: int) -> None:
    """Narrow a layer that reads another's channels, as a map or flattened."""
    by_channel = layer.weight.view(len(layer.weight), channels, -1)[:, kept]
    if isinstance(layer, nn.Linear):
        layer.weight = nn.Parameter(by_channel.flatten(1))
        layer.in_features = layer.weight.shape[1]
    else:
        layer.weight = nn.Parameter(by_channel.view(-1, len(kept), *layer.weight.shape[2:]))
        layer.in_channels = len(kept)
