"""torch.optim's optimizers in their fused form, one kernel for all parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer


class WithoutCompiler(Optimizer):
    """An optimizer whose methods do not load torch's compiler.

    torch.optim hides its methods from torch.compile, and to do so imports all of torch._dynamo at the first
    call: more than a second in every job, although nothing here is compiled. The functions inside those
    wrappers are what torch documents.
    """

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)


def _light(kind: type[Optimizer]) -> Any:
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (WithoutCompiler, kind), {"step": step})


SGD, Adam, AdamW, RMSprop = map(
    _light, (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop)
)


def sgd(params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """Stochastic gradient descent, with momentum if asked for."""
    return SGD(params, fused=True, **options)


def adam(params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """Adam, whose weight decay is added to the gradient (Kingma & Ba 2015)."""
    return Adam(params, fused=True, **options)


def adamw(params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""
    return AdamW(params, fused=True, **options)


def rmsprop(params: Iterable[nn.Parameter], **options: Any) -> Optimizer:
    """RMSprop, which has no fused kernel in torch; foreach is its fast form."""
    return RMSprop(params, foreach=True, **options)
