"""Targets as probabilities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def probabilities(target: Tensor, logits: Tensor) -> Tensor:
    """Return class indices [N] as one-hot rows [N, K]; probabilities [N, K] as they are."""
    if target.ndim == 1:
        return F.one_hot(target, logits.shape[1]).to(logits.dtype)
    return target.to(logits.dtype)
