"""Kullback-Leibler divergence to a smoothed target."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from pj.config.types import Probability
from pj.losses.targets import probabilities


def kl_div(logits: Tensor, target: Tensor, smoothing: Probability = 0.1) -> Tensor:
    """KL(smoothed target ‖ softmax), the smoothing spread over the K - 1 *other* classes.

    Its gradient equals that of cross entropy with label_smoothing = smoothing * K / (K - 1).

    Args:
        logits: [N, K].
        target: int64 [N] or probabilities [N, K].
        smoothing: share of the target that is spread over the other classes.

    """
    hard = probabilities(target, logits)
    smoothed = hard * (1 - smoothing) + (1 - hard) * (smoothing / (logits.shape[1] - 1))
    return F.kl_div(F.log_softmax(logits, dim=1), smoothed, reduction="batchmean")
