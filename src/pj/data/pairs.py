"""What CutMix and mixup share: a weight per batch, a partner per image, and labels mixed by the weight."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor


def weights(alpha: float, count: int, draw: torch.Generator) -> Tensor:
    """Return lambda ~ Beta(alpha, alpha) of each batch, float64 [count]; ``draw`` is a CPU generator."""
    uniform = torch.rand(count, generator=draw, dtype=torch.float64)
    return torch.from_numpy(betaincinv(alpha, alpha, uniform.numpy()))


def partners(sizes: Sequence[int], draw: torch.Generator) -> Tensor:
    """Return for each image one of its batch, a permutation, by places there: int64 [the sum of sizes]."""
    return torch.cat([torch.randperm(size, generator=draw) for size in sizes])


def mixed_labels(labels: Tensor, partner: Tensor, kept: Tensor, num_classes: int) -> Tensor:
    """Return probabilities float32 [B, K]: ``kept`` of an image's own class, the rest of its partner's."""
    own = F.one_hot(labels, num_classes).float()
    return torch.lerp(own[partner], own, kept)
