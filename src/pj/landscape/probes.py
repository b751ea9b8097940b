"""Measuring the loss around the weights of a network in training (Santurkar et al. 2018).

Probes are functional: they evaluate the network at other weights without changing its own. Parameters, batch
norm's buffers, the optimizer and the random state are bit-identical before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pj.config.types import increasing
from pj.models import layer_names

Loss = Callable[[Tensor, Tensor], Tensor]
Batch = tuple[Tensor, Tensor]
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Point:
    """Weights, with the loss and its gradient at them."""

    weights: Weights  # by parameter name
    loss: Tensor  # scalar
    gradient: dict[str, Tensor]


@dataclass(frozen=True)
class Probe:
    """The loss and its gradient along a line from the weights W: at W + step · direction, S steps.

    A step at which the loss is not finite is recorded as such.
    """

    steps: tuple[float, ...]
    losses: Tensor  # [S]
    gradient_distances: Tensor  # [S], ‖∇L(W + step · direction) - ∇L(W)‖
    lengths: Tensor  # [S], step · ‖direction‖
    beta: Tensor  # scalar, the largest of gradient_distances / lengths; NaN if a step diverges
    by_layer: dict[str, Tensor]  # gradient_distances [S] of each layer's parameters alone


@dataclass(frozen=True)
class Shift:
    """Internal covariate shift of a layer: how updating the layers before it changes its gradient G to G'."""

    norm: Tensor  # ‖G - G'‖
    relative: Tensor  # the same over ‖G‖
    cosine: Tensor  # between G and G'; like ``relative``, NaN where there is no gradient


def layers(model: nn.Module) -> dict[str, list[str]]:
    """Return the parameters of each convolution and linear layer, by its `pj.models.layer_names`."""
    return {
        name: [f"{path}.{own}" if path else own for own, _ in model.get_submodule(path).named_parameters()]
        for name, path in layer_names.layers(model).items()
    }


def point(
    model: nn.Module,
    loss: Loss,
    batch: Batch,
    weights: Weights | None = None,
    wanted: Collection[str] | None = None,
) -> Point:
    """Return loss and gradient at some weights, in the mode (train or eval) the model is in.

    Args:
        model: not modified; copies of its buffers and of the random state are used.
        loss: maps the model's output and the targets to a scalar.
        batch: inputs [N, …] and targets [N].
        weights: by parameter name; None uses the model's own.
        wanted: names of the parameters whose gradient is returned; None means all.

    """
    inputs, targets = batch
    found = dict(model.named_parameters()) if weights is None else weights
    leaves = {name: w.detach() for name, w in found.items()}
    asked = [name for name in leaves if wanted is None or name in wanted]
    for name in asked:
        leaves[name] = leaves[name].requires_grad_()
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    cuda = [inputs.device] if inputs.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.enable_grad():  # dropout: the same mask at every step
        value = loss(functional_call(model, {**leaves, **buffers}, (inputs,)), targets)
    gradient = torch.autograd.grad(
        value, [leaves[name] for name in asked], allow_unused=True, materialize_grads=True
    )
    at = {name: w.detach() for name, w in leaves.items()}
    return Point(at, value.detach(), dict(zip(asked, gradient, strict=True)))


def probe(
    model: nn.Module,
    loss: Loss,
    batch: Batch,
    steps: Sequence[float],
    direction: Weights | None = None,
    start: Point | None = None,
) -> Probe:
    """Evaluate loss and gradient along a line, on one batch, in the mode (train or eval) the model is in.

    Args:
        model: not modified.
        loss: maps the model's output and the targets to a scalar.
        batch: inputs [N, …] and targets [N].
        steps: the step sizes, positive and increasing. Along -g they are learning rates.
        direction: by parameter name; None is -∇L(W), so that W + step · direction is a step of gradient
            descent. For an optimizer's real update as direction, step size 1 is the whole update.
        start: `point` at W on the same batch, if the caller has it; None uses the model's own weights.

    Raises:
        ValueError: steps that are empty, not positive or not increasing.

    """
    increasing(steps)
    start = start or point(model, loss, batch)
    line = {name: -g for name, g in start.gradient.items()} if direction is None else direction
    groups = layers(model)
    losses, distances = [], []
    by_layer: dict[str, list[Tensor]] = {name: [] for name in groups}
    for step in steps:
        weights = {name: w + step * line[name] for name, w in start.weights.items()}
        there = point(model, loss, batch, weights)
        change = {name: there.gradient[name] - g for name, g in start.gradient.items()}
        losses.append(there.loss)
        distances.append(norm(change, change))
        for name, own in groups.items():
            by_layer[name].append(norm(change, own))
    sizes = torch.tensor(steps, dtype=start.loss.dtype, device=start.loss.device)
    lengths = sizes * norm(line, start.weights)
    return Probe(
        steps=tuple(steps),
        losses=torch.stack(losses),
        gradient_distances=torch.stack(distances),
        lengths=lengths,
        beta=(torch.stack(distances) / lengths).max(),
        by_layer={name: torch.stack(found) for name, found in by_layer.items()},
    )


def ics(
    model: nn.Module,
    loss: Loss,
    batch: Batch,
    after: Weights,
    names: Sequence[str] | None = None,
    start: Point | None = None,
) -> dict[str, Shift]:
    """Return the internal covariate shift of layers (Santurkar et al. 2018, definition 2.1).

    For each layer, G is its gradient at the weights W and G' its gradient when only the parameters before
    it, in the order of the model's parameters, have been updated. The first layer's shift is 0. It is not
    gradient predictiveness, for which see `probe`.

    Args:
        model: not modified.
        loss: maps the model's output and the targets to a scalar.
        batch: inputs [N, …] and targets [N].
        after: every parameter's value after the update, by name.
        names: of `layers`; None means all.
        start: `point` at W on the same batch, if the caller has it; None uses the model's own weights.

    Raises:
        ValueError: an unknown layer; the message lists the layers.

    """
    groups = layers(model)
    check_layers(names or (), groups)
    start = start or point(model, loss, batch)
    order = list(start.weights)
    shifts = {}
    for name in names if names is not None else groups:
        own = groups[name]
        earlier = set(order[: order.index(own[0])])
        mixed = {key: after[key] if key in earlier else w for key, w in start.weights.items()}
        moved = point(model, loss, batch, mixed, own)
        g = torch.cat([start.gradient[key].flatten() for key in own])
        g_moved = torch.cat([moved.gradient[key].flatten() for key in own])
        distance = torch.linalg.vector_norm(g - g_moved)
        lengths = torch.linalg.vector_norm(g), torch.linalg.vector_norm(g_moved)
        cosine = (g / lengths[0]) @ (g_moved / lengths[1])
        shifts[name] = Shift(norm=distance, relative=distance / lengths[0], cosine=cosine)
    return shifts


def norm(tensors: Weights, names: Collection[str]) -> Tensor:
    """Return the Euclidean norm of some of the tensors taken as one vector."""
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(tensors[name]) for name in names]))


def check_layers(names: Sequence[str], groups: Mapping[str, object]) -> None:
    """Raise ValueError for an unknown layer."""
    unknown = [name for name in names if name not in groups]
    if unknown:
        raise ValueError(f"no layer named {', '.join(map(repr, unknown))}; available: {', '.join(groups)}")
