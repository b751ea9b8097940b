"""Where an optimizer's learning rate is: a number, or a tensor that a CUDA graph reads in every replay."""

from __future__ import annotations

import torch
from torch.optim import Optimizer


def place(optimizer: Optimizer, device: torch.device) -> None:
    """Move the learning rates of torch's fused optimizers to a GPU, to fp32 scalars; elsewhere to numbers.

    Fused kernels alone read them there. Eager steps on a GPU do so, too, so that they have the same bits.
    """
    for group in optimizer.param_groups:
        if group.get("fused"):
            rate = float(group["lr"])
            group["lr"] = torch.tensor(rate, device=device) if device.type == "cuda" else rate


def set_to(optimizer: Optimizer, rate: float) -> None:
    """Set all learning rates, without waiting for the device."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def numbers(optimizer: Optimizer) -> list[float]:
    """Return the learning rates that are numbers, and so part of a CUDA graph."""
    rates = [group["lr"] for group in optimizer.param_groups]
    return [rate for rate in rates if not isinstance(rate, torch.Tensor)]
