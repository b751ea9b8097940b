"""The landscape of a finished network: its loss along random directions, and its sharpest curvature.

Directions are filter-normalised (Li et al. 2018, "Visualizing the Loss Landscape of Neural Nets", section
4): Gaussian, scaled filter by filter to the norms of the weights, zero on biases and batch norm. The
curvature is the largest eigenvalue of the Hessian with respect to all parameters, by power iteration.
Everything is measured on the same images, in eval mode, batch norm's statistics as trained.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import isfinite, prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pj.config.analyses.landscape import Slices
from pj.data.batches import Split, in_order
from pj.landscape.probes import Batch, Loss, Weights
from pj.randomness import generator
from pj.runs import finished

log = logging.getLogger(__name__)
# The power iteration ends when both are small: λ alone may stop changing between two opposite eigenvalues.
TOLERANCE = 1e-3  # relative change of the eigenvalue λ
RESIDUAL = 0.05  # ‖Hv - λv‖ / |λ|
MOST_ITERATIONS = 500


@dataclass(frozen=True)
class Curvature:
    """The largest eigenvalue of the Hessian, and how the power iteration ended."""

    eigenvalue: float
    iterations: int
    converged: bool  # to `TOLERANCE` and `RESIDUAL`


def measure(run: finished.FinishedRun, settings: Slices) -> dict[str, Any]:
    """Return the loss around the selected weights of a run.

    ``line`` holds the loss at ``offsets`` along one direction, ``plane`` at all pairs of ``offsets``
    along the same and a second one (rows: the first), ``curvature`` the largest eigenvalue of the
    Hessian, and ``images`` the number of training images used, the first ones of the split.
    """
    train = run.splits["train"]
    chosen = Split(train.images[: settings.images], train.labels[: settings.images])
    # few images each: a product with the Hessian keeps the activations of two backward passes
    batches = list(in_order(chosen, run.normalise, most=125))
    weights = {name: p.detach() for name, p in run.model.named_parameters()}
    directions = [filter_normalised(weights, generator(settings.seed, "direction", k)) for k in range(2)]

    def losses(offsets: list[float], dimensions: int) -> dict[str, Any]:
        found = slice_losses(run.model, run.loss, batches, directions[:dimensions], [offsets] * dimensions)
        log.info("measured the loss at %d points", found.numel())
        return {"offsets": offsets, "loss": found.tolist()}

    def offsets(points: int) -> list[float]:
        return torch.linspace(-settings.radius, settings.radius, points).tolist()

    curvature = largest_eigenvalue(run.model, run.loss, batches, generator(settings.seed, "vector"))
    log.info("%s", curvature)
    return {
        "images": len(chosen),
        "loss": float(slice_losses(run.model, run.loss, batches, [], [])),
        "curvature": asdict(curvature),
        "line": losses(offsets(settings.points), 1),
        "plane": losses(offsets(settings.side), 2),
    }


def filter_normalised(weights: Weights, draw: torch.Generator) -> dict[str, Tensor]:
    """Return a random direction with, filter by filter, the norm of the weights.

    Args:
        weights: by parameter name; the first dimension of a kernel or matrix counts its filters.
        draw: a CPU generator; equal states give equal directions before scaling, whatever the device.

    """
    found = {}
    for name, w in weights.items():
        if w.ndim < 2:  # a bias, or batch norm
            found[name] = torch.zeros_like(w)
            continue
        d = torch.randn(w.shape, generator=draw).to(w)
        rest = tuple(range(1, w.ndim))
        norms = [torch.linalg.vector_norm(t, dim=rest, keepdim=True) for t in (w, d)]
        found[name] = d * (norms[0] / norms[1])
    return found


def slice_losses(
    model: nn.Module,
    loss: Loss,
    batches: Sequence[Batch],
    directions: Sequence[Weights],
    offsets: Sequence[Sequence[float]],
) -> Tensor:
    """Return the mean loss at W + Σ offset · direction for every combination of offsets.

    Args:
        model: in eval mode; not modified.
        loss: maps the model's output and the targets to the mean over a batch.
        batches: of inputs [N, …] and targets [N].
        directions: D of them, by parameter name.
        offsets: D lists; their lengths are the result's shape. Infinite or NaN losses are kept.

    """
    weights = {name: p.detach() for name, p in model.named_parameters()}
    values = []
    for point in product(*offsets):
        there = dict(weights)
        for offset, direction in zip(point, directions, strict=True):
            there = {name: w + offset * direction[name] for name, w in there.items()}
        values.append(_mean_loss(model, loss, batches, there))
    return torch.stack(values).view([len(own) for own in offsets])


@torch.no_grad()
def _mean_loss(model: nn.Module, loss: Loss, batches: Sequence[Batch], weights: Weights) -> Tensor:
    total = sum(len(targets) for _, targets in batches)
    parts = [
        loss(functional_call(model, dict(weights), (x,)), y).double() * (len(y) / total) for x, y in batches
    ]
    return torch.stack(parts).sum()


def largest_eigenvalue(
    model: nn.Module, loss: Loss, batches: Sequence[Batch], draw: torch.Generator
) -> Curvature:
    """Return the largest eigenvalue of the mean loss's Hessian.

    Power iteration finds the eigenvalue of largest magnitude. If that is negative, the iteration is repeated
    for the Hessian shifted by it, whose eigenvalue of largest magnitude belongs to the largest eigenvalue.

    Args:
        model: in eval mode; not modified.
        loss: maps the model's output and the targets to the mean over a batch.
        batches: of inputs [N, …] and targets [N].
        draw: a CPU generator, of the first vector.

    """
    found = _power_iteration(model, loss, batches, draw, shift=0.0)
    if not found.eigenvalue < 0:
        return found
    shifted = _power_iteration(model, loss, batches, draw, shift=-found.eigenvalue)
    return Curvature(
        shifted.eigenvalue,
        found.iterations + shifted.iterations,
        found.converged and shifted.converged,
    )


def _power_iteration(
    model: nn.Module, loss: Loss, batches: Sequence[Batch], draw: torch.Generator, shift: float
) -> Curvature:
    parameters = [p for p in model.parameters() if p.requires_grad]
    size = sum(prod(p.shape) for p in parameters)
    vector = torch.randn(size, generator=draw).to(parameters[0])
    vector /= torch.linalg.vector_norm(vector)
    before = float("nan")
    for iteration in range(1, MOST_ITERATIONS + 1):
        product_ = _hessian_times(model, loss, batches, parameters, vector)
        eigenvalue = float(vector @ product_)
        residual = float(torch.linalg.vector_norm(product_ - eigenvalue * vector))
        settled = abs(eigenvalue - before) <= TOLERANCE * abs(eigenvalue)
        if (settled and residual <= RESIDUAL * abs(eigenvalue)) or not isfinite(eigenvalue):
            return Curvature(eigenvalue, iteration, converged=isfinite(eigenvalue))
        before = eigenvalue
        vector = product_ + shift * vector
        length = torch.linalg.vector_norm(vector)
        if length == 0:  # every eigenvalue is the same
            return Curvature(eigenvalue, iteration, converged=True)
        vector /= length
    return Curvature(eigenvalue, MOST_ITERATIONS, converged=False)


def _hessian_times(
    model: nn.Module, loss: Loss, batches: Sequence[Batch], parameters: Sequence[Tensor], vector: Tensor
) -> Tensor:
    total = sum(len(targets) for _, targets in batches)
    parts = vector.split([prod(p.shape) for p in parameters])
    blocks = [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]
    result = torch.zeros_like(vector)
    for inputs, targets in batches:
        value = loss(model(inputs), targets) * (len(targets) / total)
        # a parameter that the network does not use has none, as its optimizer sees it
        gradient = torch.autograd.grad(
            value, parameters, create_graph=True, allow_unused=True, materialize_grads=True
        )
        along = torch.stack([(g * block).sum() for g, block in zip(gradient, blocks, strict=True)]).sum()
        if not along.requires_grad:  # the gradient is constant
            continue
        found = torch.autograd.grad(along, parameters, allow_unused=True, materialize_grads=True)
        result += torch.cat([h.reshape(-1) for h in found])
    return result
