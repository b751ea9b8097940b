"""Losses that treat the classes as a vector to regress."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from pj.config.types import Positive
from pj.losses.targets import probabilities


def mse(logits: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the raw logits against the one-hot target."""
    return F.mse_loss(logits, probabilities(target, logits))


def brier(logits: Tensor, target: Tensor) -> Tensor:
    """‖softmax - one-hot‖², averaged over the batch (Brier 1950)."""
    return (logits.softmax(dim=1) - probabilities(target, logits)).square().sum(dim=1).mean()


def smooth_l1(logits: Tensor, target: Tensor, beta: Positive = 1.0) -> Tensor:
    """Huber-like loss of the raw logits against the one-hot target.

    Args:
        logits: [N, K].
        target: int64 [N] or probabilities [N, K].
        beta: distance below which the loss is quadratic.

    """
    return F.smooth_l1_loss(logits, probabilities(target, logits), beta=beta)
