"""Keeping batch norm's running statistics unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def frozen_running_statistics(model: nn.Module) -> Iterator[None]:
    """Restore batch norm's running statistics on exit.

    They are restored rather than switched off, because switching would recompile a compiled network.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    buffers = [buffer for layer in layers for buffer in layer.buffers()]
    # by type, because a list of mixed types would not be copied in one kernel launch
    kinds = [[b for b in buffers if b.is_floating_point() == floats] for floats in (True, False)]
    before = [[buffer.clone() for buffer in kind] for kind in kinds]
    try:
        yield
    finally:
        for kind, old in zip(kinds, before, strict=True):
            if kind:
                torch._foreach_copy_(kind, old)
