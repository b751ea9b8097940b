"""Where an optimizer's learning rate is: a number, or a tensor that a CUDA graph reads in every replay."""

from __future__ import annotations

from collections.abc import Sequence

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


def ratios(optimizer: Optimizer, rate: float) -> list[float]:
    """Return each group's learning rate over the run's; a user's own optimizer may have set it apart."""
    return [float(group["lr"]) / rate if rate else 1.0 for group in optimizer.param_groups]


def set_to(optimizer: Optimizer, rate: float, by_group: Sequence[float]) -> None:
    """Set the learning rate of each group to so many times a rate, without waiting for the device."""
    for group, ratio in zip(optimizer.param_groups, by_group, strict=True):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate * ratio)
        else:
            group["lr"] = rate * ratio


def numbers(optimizer: Optimizer) -> list[float]:
    """Return the learning rates that are numbers, and so part of a CUDA graph."""
    rates = [group["lr"] for group in optimizer.param_groups]
    return [rate for rate in rates if not isinstance(rate, torch.Tensor)]
