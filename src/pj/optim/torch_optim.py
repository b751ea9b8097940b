"""torch.optim's optimizers in their fused form, one kernel for all parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pj.config.types import Betas, NonNegative, Positive, Probability, Switch


class WithoutCompiler(Optimizer):
    """An optimizer whose methods do not load torch's compiler.

    torch.optim hides its methods from torch.compile, and for that imports all of torch._dynamo at the first
    call: more than a second in every job, although nothing here is compiled. The functions inside those
    wrappers are those that torch documents.
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


def sgd(
    params: Iterable[nn.Parameter],
    lr: Positive,
    momentum: Probability = 0.0,
    weight_decay: NonNegative = 0.0,
    nesterov: Switch = None,
) -> Optimizer:
    """Stochastic gradient descent.

    Args:
        params: parameters, as for any optimizer.
        lr: learning rate.
        momentum: share of the last step's direction that is kept.
        weight_decay: times the weights, added to the gradient.
        nesterov: momentum as Sutskever et al. 2013 write Nesterov's; needs momentum above 0.

    """
    settings = {"momentum": momentum, "weight_decay": weight_decay, "nesterov": bool(nesterov)}
    return SGD(params, lr=lr, fused=True, **settings)


def adam(
    params: Iterable[nn.Parameter],
    lr: Positive,
    betas: Betas = (0.9, 0.999),
    eps: Positive = 1e-8,
    weight_decay: NonNegative = 0.0,
) -> Optimizer:
    """Adam, whose weight decay is added to the gradient (Kingma & Ba 2015).

    Args:
        params: parameters, as for any optimizer.
        lr: learning rate.
        betas: how slowly the means of the gradient and of its square change.
        eps: added to the root of the second mean.
        weight_decay: times the weights, added to the gradient.

    """
    return Adam(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)


def adamw(
    params: Iterable[nn.Parameter],
    lr: Positive,
    betas: Betas = (0.9, 0.999),
    eps: Positive = 1e-8,
    weight_decay: NonNegative = 0.0,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    Args:
        params: parameters, as for any optimizer.
        lr: learning rate.
        betas: how slowly the means of the gradient and of its square change.
        eps: added to the root of the second mean.
        weight_decay: times the learning rate, how much weights shrink per step.

    """
    return AdamW(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)


def rmsprop(
    params: Iterable[nn.Parameter],
    lr: Positive,
    alpha: Probability = 0.99,
    eps: Positive = 1e-8,
    momentum: Probability = 0.0,
    weight_decay: NonNegative = 0.0,
) -> Optimizer:
    """RMSprop, which has no fused kernel in torch; foreach is its fast form.

    Args:
        params: parameters, as for any optimizer.
        lr: learning rate.
        alpha: how slowly the mean of the squared gradient changes.
        eps: added to its root.
        momentum: share of the last step's direction that is kept.
        weight_decay: times the weights, added to the gradient.

    """
    chosen = {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum, "weight_decay": weight_decay}
    return RMSprop(params, **chosen, foreach=True)
