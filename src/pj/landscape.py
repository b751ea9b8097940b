"""What the loss looks like around the weights of a network in training (Santurkar et al. 2018).

Probes are functional: they evaluate the network at other weights without moving its own. Parameters, batch
norm's buffers, the optimizer and the random state are bit-identical before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call

Loss = Callable[[Tensor, Tensor], Tensor]
Batch = tuple[Tensor, Tensor]
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Probe:
    """The loss and its gradient along a line from the weights W: at W + step · direction, S steps.

    A step at which the loss is not finite is recorded as such.
    """

    steps: tuple[float, ...]
    losses: Tensor  # [S]
    gradient_distances: Tensor  # [S], ‖∇L(W + step · direction) - ∇L(W)‖
    beta: Tensor  # scalar, the largest of gradient_distances / (step · ‖direction‖)
    loss: Tensor  # scalar, at W
    gradient_norm: Tensor  # scalar, ‖∇L(W)‖
    by_layer: dict[str, Tensor]  # gradient_distances [S] of each layer's parameters alone


@dataclass(frozen=True)
class Shift:
    """Internal covariate shift of a layer: how updating the layers before it changes its gradient G to G'."""

    norm: Tensor  # ‖G - G'‖
    relative: Tensor  # the same over ‖G‖
    cosine: Tensor  # between G and G'


def layers(model: nn.Module) -> dict[str, list[str]]:
    """Return the layers with a weight matrix or kernel, in order, with their parameters' names."""
    found = {}
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim >= 2:
            prefix = f"{name}." if name else ""
            found[name] = [prefix + own for own, _ in module.named_parameters(recurse=False)]
    return found


def probe(
    model: nn.Module, loss: Loss, batch: Batch, steps: Sequence[float], direction: Weights | None = None
) -> Probe:
    """Evaluate loss and gradient along a line, on one batch, in the mode (train or eval) the model is in.

    Args:
        model: left as it is.
        loss: maps the model's output and the targets to a scalar.
        batch: inputs [N, …] and targets [N].
        steps: the step sizes, positive and increasing. Along -g they are learning rates.
        direction: by parameter name; None is -∇L(W), so that W + step · direction is a step of gradient
            descent. Another direction is an optimizer's real update, of which step 1 is the whole.

    Raises:
        ValueError: steps that are empty, not positive or not increasing.

    """
    check_steps(steps)
    start = {name: p.detach() for name, p in model.named_parameters()}
    value, gradient = _gradient(model, loss, batch, start)
    line = {name: -g for name, g in gradient.items()} if direction is None else direction
    groups = layers(model)
    losses, distances = [], []
    by_layer: dict[str, list[Tensor]] = {name: [] for name in groups}
    for step in steps:
        there = {name: w + step * line[name] for name, w in start.items()}
        value_there, gradient_there = _gradient(model, loss, batch, there)
        change = {name: gradient_there[name] - g for name, g in gradient.items()}
        losses.append(value_there)
        distances.append(_norm(change, change))
        for name, own in groups.items():
            by_layer[name].append(_norm(change, own))
    lengths = torch.tensor(steps, dtype=value.dtype, device=value.device) * _norm(line, start)
    return Probe(
        steps=tuple(steps),
        losses=torch.stack(losses),
        gradient_distances=torch.stack(distances),
        beta=(torch.stack(distances) / lengths).max(),
        loss=value,
        gradient_norm=_norm(gradient, gradient),
        by_layer={name: torch.stack(found) for name, found in by_layer.items()},
    )


def ics(
    model: nn.Module, loss: Loss, batch: Batch, after: Weights, names: Sequence[str] | None = None
) -> dict[str, Shift]:
    """Return the internal covariate shift of layers (Santurkar et al. 2018, definition 2.1).

    For each layer, G is its gradient at the model's weights and G' its gradient when only the layers before
    it have been updated. The first layer's shift is 0. It is not gradient predictiveness, for which see
    `probe`.

    Args:
        model: left as it is.
        loss: maps the model's output and the targets to a scalar.
        batch: inputs [N, …] and targets [N].
        after: every parameter's value after the update, by name.
        names: of `layers`; None is all of them.

    Raises:
        ValueError: a name that is no layer's, with those that are.

    """
    groups = layers(model)
    check_layers(names or (), groups)
    before = {name: p.detach() for name, p in model.named_parameters()}
    order = list(before)
    _, gradient = _gradient(model, loss, batch, before)
    shifts = {}
    for name in names if names is not None else groups:
        own = groups[name]
        earlier = set(order[: order.index(own[0])])
        mixed = {key: after[key] if key in earlier else value for key, value in before.items()}
        _, moved = _gradient(model, loss, batch, mixed)
        g = torch.cat([gradient[key].flatten() for key in own])
        g_moved = torch.cat([moved[key].flatten() for key in own])
        norm = torch.linalg.vector_norm(g - g_moved)
        cosine = torch.cosine_similarity(g, g_moved, dim=0)
        shifts[name] = Shift(norm=norm, relative=norm / torch.linalg.vector_norm(g), cosine=cosine)
    return shifts


def check_steps(steps: Sequence[float]) -> None:
    """Raise ValueError unless step sizes are positive and increasing, and there is at least one."""
    if not steps or steps[0] <= 0 or any(b <= a for a, b in pairwise(steps)):
        raise ValueError(f"step sizes {list(steps)}; allowed: at least one, all above 0, increasing")


def check_layers(names: Sequence[str], groups: Mapping[str, object]) -> None:
    """Raise ValueError for a name that is no layer's."""
    unknown = [name for name in names if name not in groups]
    if unknown:
        raise ValueError(f"no layer named {', '.join(map(repr, unknown))}; there are: {', '.join(groups)}")


def _gradient(
    model: nn.Module, loss: Loss, batch: Batch, weights: Weights
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return loss and gradient at other weights, on copies of the buffers and of the random state."""
    inputs, targets = batch
    leaves = {name: w.detach().requires_grad_() for name, w in weights.items()}
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    cuda = [inputs.device] if inputs.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.enable_grad():  # dropout: the same mask at every step
        value = loss(functional_call(model, {**leaves, **buffers}, (inputs,)), targets)
    found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    zeros = (torch.zeros_like(w) for w in leaves.values())
    gradient = {n: z if g is None else g for n, g, z in zip(leaves, found, zeros, strict=True)}
    return value.detach(), gradient


def _norm(tensors: Weights, names: Sequence[str] | Weights) -> Tensor:
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(tensors[name]) for name in names]))
