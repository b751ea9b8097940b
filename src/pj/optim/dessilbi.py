"""DessiLBI: training along a path of sparse structures (Fu et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pj.config.types import Betas, Lambdas, Positive, Probability
from pj.errors import UserError
from pj.models.layer_names import layers
from pj.optim import torch_optim

INNER = ("sgd", "adam")
LAMBDAS = {"conv": 1.0, "linear": 1.0}


class DessiLBI(torch_optim.WithoutCompiler):
    """Deep structurally splitting linearised Bregman iteration.

    Besides the weights W of convolutions and linear layers it updates V and the sparse Γ, both 0 at first.
    With the old W and Γ, and the new V, on the right (Fu et al. 2020, the discretised inclusion):

        W ← W - κα (∇L + (W - Γ)/ν)      V ← V + (α/ν)(W - Γ)      Γ ← κ prox(V)

    where prox is the group lasso of every output filter of a convolution, max(0, 1 - λ/‖v‖) v, and the soft
    threshold λ for every weight of a linear layer. Momentum acts on ∇L alone. With ``inner="adam"`` Adam's
    direction replaces ∇L and nothing else changes. Biases and batch norm take the plain step W ← W - κα ∇L.

    Args:
        params: parameters, or pairs of name and parameter as for any optimizer; tensors of four dimensions
            are convolutions, those of two dimensions linear layers.
        lr: α.
        kappa: κ, above 0.
        nu: ν, above 0; the larger, the looser W and Γ are coupled.
        inner: sgd or adam.
        momentum: of ``inner="sgd"``.
        betas: of ``inner="adam"``.
        eps: of ``inner="adam"``.
        lambdas: λ by kind of weight, conv and linear, each 0 or more; 1 by default.
        relative: lambdas are multiplied by ``reach``.
        reach: the run's sum of α/ν, which limits how far V can move.

    Raises:
        ValueError: a setting that is not allowed.

    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[tuple[str, nn.Parameter]],
        lr: Positive,
        kappa: Positive = 1.0,
        nu: Positive = 20.0,
        inner: Literal["sgd", "adam"] = "sgd",
        momentum: Probability = 0.0,
        betas: Betas = (0.9, 0.999),
        eps: Positive = 1e-8,
        lambdas: Lambdas = {},  # noqa: B006 never changed
        relative: bool = False,
        reach: float = 1.0,
    ) -> None:
        unit = reach if relative else 1.0
        chosen = {kind: unit * value for kind, value in (LAMBDAS | dict(lambdas)).items()}
        _check(lr, kappa, nu, inner, momentum, betas, eps, chosen)
        settings = {"kappa": kappa, "nu": nu, "momentum": momentum, "betas": betas, "eps": eps}
        by_kind: dict[str, list[Any]] = {"conv": [], "linear": [], "plain": []}
        for item in params:
            by_kind[_kind(item[1] if isinstance(item, tuple) else item)].append(item)
        groups = [
            {"params": members, "kind": kind, "threshold": chosen.get(kind, 0.0), "steps": 0}
            for kind, members in by_kind.items()
            if members
        ]
        super().__init__(groups, {"lr": lr, "inner": inner, **settings})
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = _start(p, group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step; return what ``closure``, if there is one, returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            members = [p for p in group["params"] if p.grad is not None]  # others are skipped, as in torch
            if members:
                self._step(group, members)
        return loss

    def _step(self, group: dict[str, Any], members: list[Tensor]) -> None:
        direction = self._direction(group, members)
        alpha, kappa, nu = group["lr"], group["kappa"], group["nu"]
        if group["kind"] != "plain":
            v, gamma = ([self.state[p][name] for p in members] for name in ("v", "gamma"))
            gap = torch._foreach_sub(members, gamma)
            direction = list(torch._foreach_add(direction, gap, alpha=1 / nu))
            torch._foreach_add_(v, gap, alpha=alpha / nu)
            shrink = group_lasso if group["kind"] == "conv" else soft_threshold
            torch._foreach_copy_(gamma, torch._foreach_mul(shrink(v, group["threshold"]), kappa))
        torch._foreach_add_(members, direction, alpha=-kappa * alpha)

    def _direction(self, group: dict[str, Any], members: list[Tensor]) -> list[Tensor]:
        """Return the direction used as ∇L: the gradient, with momentum, or Adam's direction."""
        gradients: list[Tensor] = [p.grad for p in members]  # type: ignore[misc]
        if group["inner"] == "sgd":
            if not group["momentum"]:
                return gradients
            buffers = [self.state[p]["momentum"] for p in members]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, gradients)
            return buffers
        first, second = ([self.state[p][name] for p in members] for name in ("exp_avg", "exp_avg_sq"))
        beta1, beta2 = group["betas"]
        group["steps"] += 1  # one count per group: a parameter takes part in every step or in none
        count = group["steps"]
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        scale = torch._foreach_sqrt(second)
        torch._foreach_div_(scale, (1 - beta2**count) ** 0.5)
        torch._foreach_add_(scale, group["eps"])
        directions = torch._foreach_div(first, scale)
        torch._foreach_div_(directions, 1 - beta1**count)
        return list(directions)

    @staticmethod
    def check(model: nn.Module) -> None:
        """Raise UserError for a layer whose weight is no parameter, so that nothing can select it."""
        for name, path in layers(model).items():
            if "weight" not in dict(model.get_submodule(path).named_parameters(recurse=False)):
                raise UserError(
                    f"optimizer dessilbi selects weights, but that of {name} ({path}) is computed from "
                    "others, as by weight_norm; use another optimizer or a plain layer"
                )

    @torch.no_grad()
    def end_epoch(self, epoch: int, model: nn.Module) -> dict[str, float]:
        """Record for every unit (a filter, or a weight of a linear layer) the first epoch with Γ not zero.

        Args:
            epoch: the epoch that has just ended, counted from 1.
            model: the model that has these parameters.

        Returns:
            The share of each layer's units in the support of Γ, in percent.

        """
        shares = {}
        for name, path in layers(model).items():
            state = self.state[model.get_parameter(f"{path}.weight")]
            there = support(state["gamma"])
            state["selected"].masked_fill_(there & (state["selected"] < 0), epoch)
            shares[name] = 100 * there.double().mean().item()
        return shares

    def path(self, model: nn.Module) -> dict[str, dict[str, Tensor]]:
        """Return copies of Γ and of the epochs of first selection (below 0: never), by parameter name."""
        coupled = {name: self.state[p] for name, p in model.named_parameters() if "gamma" in self.state[p]}
        return {key: {name: s[key].clone() for name, s in coupled.items()} for key in ("gamma", "selected")}


def support(gamma: Tensor) -> Tensor:
    """Return which units are selected: for filters bool [C_out], for linear weights bool [out, in]."""
    return (gamma != 0).flatten(1).any(dim=1) if gamma.ndim == 4 else gamma != 0


def group_lasso(tensors: list[Tensor], threshold: float) -> list[Tensor]:
    """Return max(0, 1 - threshold/‖v‖) v for every output filter v of the kernels."""
    norms = [torch.linalg.vector_norm(t, dim=(1, 2, 3), keepdim=True) for t in tensors]
    tiny = torch.finfo(norms[0].dtype).tiny  # a zero filter stays zero
    factors = [(n - threshold).clamp_(min=0) / n.clamp(min=tiny) for n in norms]
    return list(torch._foreach_mul(tensors, factors))


def soft_threshold(tensors: list[Tensor], threshold: float) -> list[Tensor]:
    """Return sign(v) max(0, |v| - threshold) for every weight v."""
    clipped = torch._foreach_clamp_max(tensors, threshold)
    torch._foreach_clamp_min_(clipped, -threshold)
    return list(torch._foreach_sub(tensors, clipped))


def _kind(parameter: Tensor) -> str:
    return {4: "conv", 2: "linear"}.get(parameter.ndim, "plain")


def _start(p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
    state = {}
    if group["inner"] == "adam":
        state = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
    elif group["momentum"]:
        state = {"momentum": torch.zeros_like(p)}
    if group["kind"] != "plain":
        state |= {"v": torch.zeros_like(p), "gamma": torch.zeros_like(p)}
        # floats, because an optimizer's state is loaded as floats; -1: not yet selected
        state["selected"] = torch.full_like(p[:, 0, 0, 0] if p.ndim == 4 else p, -1.0)
    return {name: t.detach() for name, t in state.items()}


def _check(
    lr: float,
    kappa: float,
    nu: float,
    inner: str,
    momentum: float,
    betas: Sequence[float],
    eps: float,
    lambdas: Mapping[str, float],
) -> None:
    for name, value in {"lr": lr, "kappa": kappa, "nu": nu, "eps": eps}.items():
        if not 0 < value < inf:
            raise ValueError(f"DessiLBI needs {name} > 0 and finite, not {name}={value}")
    for name, value in {"momentum": momentum, "betas[0]": betas[0], "betas[1]": betas[1]}.items():
        if not 0 <= value < 1:
            raise ValueError(f"DessiLBI needs {name} in [0, 1), not {name}={value}")
    if inner not in INNER:
        raise ValueError(f"DessiLBI has no inner {inner!r}; available: {', '.join(INNER)}")
    if inner == "adam" and momentum:
        raise ValueError("DessiLBI: momentum is allowed with inner sgd only; adam has betas")
    if set(lambdas) != set(LAMBDAS) or not all(0 <= value < inf for value in lambdas.values()):
        raise ValueError(f"DessiLBI's lambdas {dict(lambdas)}; allowed: {', '.join(LAMBDAS)}, each 0 or more")
