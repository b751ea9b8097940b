"""Batch norm's running statistics, and when they stand still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def frozen_running_statistics(model: nn.Module) -> Iterator[None]:
    """Put batch norm's running statistics back afterwards.

    They are put back rather than switched off, which a compiled network would have to be compiled again for.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    buffers = [buffer for layer in layers for buffer in layer.buffers()]
    # one launch a kind, which lists of mixed types do not get
    kinds = [[b for b in buffers if b.is_floating_point() == floats] for floats in (True, False)]
    before = [[buffer.clone() for buffer in kind] for kind in kinds]
    try:
        yield
    finally:
        for kind, old in zip(kinds, before, strict=True):
            if kind:
                torch._foreach_copy_(kind, old)
