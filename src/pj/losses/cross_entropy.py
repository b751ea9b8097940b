"""Cross entropy, and negative log likelihood, which is the same function."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from pj.config.types import Probability
from pj.losses.targets import Indices


def cross_entropy(logits: Tensor, target: Tensor, label_smoothing: Probability = 0.0) -> Tensor:
    """Cross entropy of the softmax.

    Args:
        logits: [N, K].
        target: int64 [N] or probabilities [N, K].
        label_smoothing: share of the target that is spread over all K classes.

    """
    return F.cross_entropy(logits, target, label_smoothing=label_smoothing)


def nll(logits: Tensor, target: Indices) -> Tensor:
    """Negative log likelihood of the log-softmax: the same function as cross entropy; hard labels only."""
    if target.ndim != 1:
        raise ValueError("the loss 'nll' accepts class indices only; use 'cross_entropy' with soft targets")
    return F.nll_loss(F.log_softmax(logits, dim=1), target)
