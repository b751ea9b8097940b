"""Optimizers, by name: torch.optim's own, SAM and DessiLBI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pj import registry

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

REGISTRY = {
    "sgd": "pj.optim.torch_optim:sgd",
    "adam": "pj.optim.torch_optim:adam",
    "adamw": "pj.optim.torch_optim:adamw",
    "rmsprop": "pj.optim.torch_optim:rmsprop",
    "sam": "pj.optim.sam:SAM",
    "dessilbi": "pj.optim.dessilbi:DessiLBI",
    "own": "pj.own:optimizer",
}


def names() -> list[str]:
    """Return the names of pj's own optimizers."""
    return [name for name in REGISTRY if name != "own"]


def create(name: str, params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """Return the optimizer of that name over ``params``; ValueError for an unknown name."""
    found: Optimizer = registry.find(REGISTRY, name, "optimizer")(params, **options)
    return found


def __getattr__(name: str) -> Any:
    """Load a public class on first use, so that naming an optimizer loads no torch."""
    return registry.public(__name__, {"SAM": REGISTRY["sam"], "DessiLBI": REGISTRY["dessilbi"]}, name)
