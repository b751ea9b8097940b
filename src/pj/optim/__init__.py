"""The optimizers of both reports, by name: torch.optim's own, SAM and DessiLBI."""

from __future__ import annotations

from collections.abc import Iterable
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

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
}


def names() -> list[str]:
    """Return the names that `create` knows."""
    return list(REGISTRY)


def create(name: str, params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """Return the optimizer of that name over ``params``; ValueError for an unknown name."""
    if name not in REGISTRY:
        raise ValueError(f"no optimizer named {name!r}; there are: {', '.join(REGISTRY)}")
    return resolve_name(REGISTRY[name])(params, **options)


def __getattr__(name: str) -> Any:
    """Load a public class when it is asked for, so that naming an optimizer loads no torch."""
    if name in ("SAM", "DessiLBI"):
        return resolve_name(REGISTRY[name.lower()])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
