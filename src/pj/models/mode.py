"""Eval mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a network in eval mode; on exit each of its modules is in its own mode again.

    A network may keep some modules in eval mode, which ``model.train()`` alone would end.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        model.train(modes[model])  # a network may do more in it
        for module, training in modes.items():
            module.training = training
