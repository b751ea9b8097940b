"""Targets as probabilities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

Indices = Tensor  # int64 [N]: the targets of a loss that does not accept probabilities


def probabilities(target: Tensor, logits: Tensor) -> Tensor:
    """Return class indices [N] as one-hot rows [N, K]; probabilities [N, K] unchanged."""
    if target.ndim == 1:
        return F.one_hot(target, logits.shape[1]).to(logits.dtype)
    return target.to(logits.dtype)


def label_mass(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sum of the targets' probabilities of the predicted classes; for indices, the hits."""
    predicted = logits.argmax(dim=1)
    if target.ndim == 1:
        return (predicted == target).sum()
    return target.gather(1, predicted[:, None]).sum()
