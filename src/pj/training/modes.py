"""Measured effects of train() and eval() on batch norm and dropout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pj.randomness import derive

EXACT = 1e-5  # float32 rounding of a normalisation over a few thousand numbers


@dataclass(frozen=True)
class Statement:
    """One statement about a layer in one mode, the number that tests it and whether it holds."""

    layer: str
    mode: str
    statement: str
    measured: str
    holds: bool


def statements() -> list[Statement]:
    """Return the table's rows, from PyTorch's layers on random input."""
    torch.manual_seed(derive(0, "modes"))
    return [*_batch_norm(), *_dropout(), *_dropout2d()]


def _batch_norm() -> list[Statement]:
    layer = nn.BatchNorm2d(8, momentum=0.1)
    x = 3 + 2 * torch.randn(32, 8, 6, 6)
    mean, biased = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)
    unbiased = x.var(dim=(0, 2, 3), correction=1)
    trained = layer.train()(x)
    running_mean, running_var = layer.running_mean.clone(), layer.running_var.clone()  # type: ignore[union-attr]
    evaluated = layer.eval()(x)
    frozen = torch.equal(layer.running_mean, running_mean) and torch.equal(layer.running_var, running_var)  # type: ignore[arg-type]

    def error(a: Tensor, b: Tensor) -> float:
        return (a - b).abs().max().item()

    def normalised(m: Tensor, v: Tensor) -> Tensor:
        return (x - m[:, None, None]) / (v[:, None, None] + layer.eps).sqrt()

    by_batch, by_running = normalised(mean, biased), normalised(running_mean, running_var)
    rows = [
        ("train", "normalises by the batch's mean and biased variance", error(trained, by_batch)),
        ("train", "running_mean = 0.9 old + 0.1 batch mean", error(running_mean, 0.1 * mean)),
        ("train", "running_var = 0.9 old + 0.1 unbiased variance", error(running_var, 0.9 + 0.1 * unbiased)),
        ("eval", "normalises by the running values", error(evaluated, by_running)),
    ]
    measured = [
        Statement("BatchNorm", mode, statement, f"largest error {e:.1e}", e < EXACT)
        for mode, statement, e in rows
    ]
    text = "unchanged" if frozen else "changed"
    return [*measured, Statement("BatchNorm", "eval", "leaves the running values alone", text, frozen)]


def _dropout() -> list[Statement]:
    p, x = 0.4, torch.ones(100_000)
    layer = nn.Dropout(p)
    y = layer.train()(x)
    zeroed = (y == 0).double().mean().item()
    kept = y[y != 0].unique().tolist()
    right = len(kept) == 1 and abs(kept[0] - 1 / (1 - p)) < EXACT
    scales = "scaled by " + ", ".join(f"{k:.4f}" for k in kept)
    within = abs(zeroed - p) < 0.0062  # four standard deviations of a share of 100,000 draws
    return [
        Statement("Dropout", "train", "zeroes a share p = 0.4", f"share {zeroed:.4f}", within),
        Statement("Dropout", "train", "scales the rest by 1/(1 - p) = 1.6667", scales, right),
        _identity_in_eval("Dropout", layer, x),
    ]


def _dropout2d() -> list[Statement]:
    p = 0.4
    x = torch.ones(100, 100, 4, 4)
    layer = nn.Dropout2d(p)
    zero = layer.train()(x) == 0
    whole, partly = zero.all(dim=(2, 3)), zero.any(dim=(2, 3)) & ~zero.all(dim=(2, 3))
    share, torn = whole.double().mean().item(), int(partly.sum())
    within = abs(share - p) < 0.0196  # four standard deviations of a share of 10,000 draws
    return [
        Statement("Dropout2d", "train", "zeroes a share 0.4 of channels", f"share {share:.4f}", within),
        Statement("Dropout2d", "train", "never a part of a channel", f"{torn} of 10,000", torn == 0),
        _identity_in_eval("Dropout2d", layer, x),
    ]


def _identity_in_eval(name: str, layer: nn.Module, x: Tensor) -> Statement:
    change = (layer.eval()(x) - x).abs().max().item()
    return Statement(name, "eval", "is the identity", f"largest change {change:g}", change == 0)
