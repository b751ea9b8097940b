"""Losses that treat the classes as a vector to regress."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from pj.losses.targets import probabilities


def mse(logits: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the raw logits against the one-hot target (what the report's code does)."""
    return F.mse_loss(logits, probabilities(target, logits))


def brier(logits: Tensor, target: Tensor) -> Tensor:
    """‖softmax - one-hot‖², averaged over the batch (what the report's text says; Brier 1950)."""
    return (logits.softmax(dim=1) - probabilities(target, logits)).square().sum(dim=1).mean()


def smooth_l1(logits: Tensor, target: Tensor, beta: float = 1.0) -> Tensor:
    """Huber-like loss of the raw logits against the one-hot target, quadratic below ``beta``."""
    return F.smooth_l1_loss(logits, probabilities(target, logits), beta=beta)
