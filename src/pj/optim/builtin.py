"""torch.optim's optimizers in their fused form, one kernel for all parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer


def sgd(params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """Stochastic gradient descent, with momentum if asked for."""
    return torch.optim.SGD(params, fused=True, **options)


def adam(params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """Adam, whose weight decay is added to the gradient (Kingma & Ba 2015)."""
    return torch.optim.Adam(params, fused=True, **options)


def adamw(params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""
    return torch.optim.AdamW(params, fused=True, **options)


def rmsprop(params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """RMSprop, which has no fused kernel in torch; foreach is its fast form."""
    return torch.optim.RMSprop(params, foreach=True, **options)
