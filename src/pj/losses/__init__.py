"""Losses, by name.

Every loss maps logits [N, K] and targets to a scalar, the mean over the batch. Targets are class indices
int64 [N] or, for losses that accept them, probabilities [N, K].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pj import registry

if TYPE_CHECKING:
    from torch import Tensor

    Loss = Callable[[Tensor, Tensor], Tensor]

REGISTRY = {
    "cross_entropy": "pj.losses.cross_entropy:cross_entropy",
    "nll": "pj.losses.cross_entropy:nll",
    "mse": "pj.losses.regression:mse",
    "brier": "pj.losses.regression:brier",
    "smooth_l1": "pj.losses.regression:smooth_l1",
    "kl_div": "pj.losses.kl_div:kl_div",
    "own": "pj.own:loss",
}


def names() -> list[str]:
    """Return the names of pj's own losses."""
    return [name for name in REGISTRY if name != "own"]


def create(name: str, **options: Any) -> Loss:
    """Return the loss of that name with its options bound; ValueError for an unknown name."""
    return partial(registry.find(REGISTRY, name, "loss"), **options)
