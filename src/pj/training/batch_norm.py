"""Keeping running statistics unchanged: those of batch norm, and any other buffer that a network changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def frozen_running_statistics(model: nn.Module) -> Iterator[None]:
    """Restore all buffers of a network on exit.

    They are restored rather than switched off, because switching would recompile a compiled network.
    """
    buffers = list(model.buffers())
    # by type, because a list of mixed types would not be copied in one kernel launch
    kinds = [[b for b in buffers if b.is_floating_point() == floats] for floats in (True, False)]
    before = [[buffer.clone() for buffer in kind] for kind in kinds]
    try:
        yield
    finally:
        for kind, old in zip(kinds, before, strict=True):
            if kind:
                torch._foreach_copy_(kind, old)
