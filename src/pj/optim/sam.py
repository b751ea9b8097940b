"""Sharpness-aware minimisation, plain and adaptive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pj.config.types import NonNegative, Positive, Probability, Switch
from pj.optim import torch_optim

BASES: dict[str, Callable[..., Any]] = {
    "sgd": torch_optim.sgd,
    "adam": torch_optim.adam,
    "adamw": torch_optim.adamw,
}


class SAM(torch_optim.WithoutCompiler):
    """Descend along the gradient at the worst point near the weights.

    SAM (Foret et al. 2021, equation 2): eps = rho * g / ‖g‖. ASAM (Kwon et al. 2021, equation 9), with
    T = |w| + eta: eps = rho * T² g / ‖T g‖. The base optimizer then steps from w with the gradient at
    w + eps; its weight decay sees w.

    Args:
        params: parameters, as for any optimizer.
        base: name of the base optimizer: sgd, adam or adamw.
        rho: radius of the neighbourhood; with 0 every step is bit-identical to the base optimizer's.
        adaptive: scale the neighbourhood by the weights (ASAM), those of biases and batch norm too.
        eta: added to |w| in ASAM's T.
        lr: learning rate of the base optimizer.
        momentum: of the base optimizer sgd.
        weight_decay: of the base optimizer.
        nesterov: momentum of the base optimizer sgd as Nesterov's; needs momentum above 0.

    Raises:
        ValueError: rho or eta below 0, or an unknown base.

    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        base: Literal["sgd", "adam", "adamw"] = "sgd",
        rho: NonNegative = 0.05,
        adaptive: bool = False,
        eta: NonNegative = 0.01,
        *,
        lr: Positive,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        nesterov: Switch = None,
    ) -> None:
        if base not in BASES:
            raise ValueError(f"SAM has no base optimizer {base!r}; available: {', '.join(BASES)}")
        if rho < 0 or eta < 0:
            raise ValueError(f"SAM needs rho >= 0 and eta >= 0, not rho={rho}, eta={eta}")
        self.rho, self.adaptive, self.eta = rho, adaptive, eta
        inside = {"momentum": momentum, "nesterov": nesterov} if base == "sgd" else {}
        self.base = BASES[base](params, lr=lr, weight_decay=weight_decay, **inside)
        super().__init__(self.base.param_groups, self.base.defaults)
        # shared with the base optimizer
        self.param_groups, self.state = self.base.param_groups, self.base.state
        # Context of the second gradient; the training loop freezes batch norm's running statistics in it.
        self.second_pass: Callable[[], AbstractContextManager[None]] = nullcontext

    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Take one step; ``closure`` zeroes gradients, computes the loss, calls backward, returns the loss.

        It is called twice (once where rho is 0). Returns the loss at w.
        """
        loss = closure()
        if self.rho > 0:
            params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in params]
            with torch.no_grad():
                before = [p.clone() for p in params]
                torch._foreach_add_(params, self._perturbation(params, gradients))
            with self.second_pass():
                closure()
            with torch.no_grad():
                torch._foreach_copy_(params, before)  # exact, unlike subtracting eps
        self.base.step()
        return loss

    def _perturbation(self, params: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        if not self.adaptive:
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
            return list(torch._foreach_mul(gradients, self.rho / (norm + 1e-12)))
        scales = torch._foreach_add(torch._foreach_abs(params), self.eta)
        scaled = torch._foreach_mul(scales, gradients)
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(scaled)))
        torch._foreach_mul_(scaled, scales)
        return list(torch._foreach_mul(scaled, self.rho / (norm + 1e-12)))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the base optimizer's state."""
        self.base.load_state_dict(state_dict)
        self.param_groups, self.state = self.base.param_groups, self.base.state

    def state_dict(self) -> dict[str, Any]:
        """Return the base optimizer's state: SAM itself has none."""
        return self.base.state_dict()
