"""Loss and accuracy of a network on a split, in eval mode."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pj.data.batches import Normalise, Split, in_order
from pj.models.mode import eval_mode
from pj.training.device import Conditions


@torch.inference_mode()
def predict(model: nn.Module, split: Split, normalise: Normalise, conditions: Conditions) -> Tensor:
    """Return logits float32 [N, K] of a split, in eval mode; each module's own mode is restored."""
    with eval_mode(model), conditions.autocast():
        return torch.cat([model(images).float() for images, _ in in_order(split, normalise)])


def loss_and_accuracy(
    logits: Tensor, split: Split, loss: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, float]:
    """Return the mean loss and the accuracy in percent."""
    correct = (logits.argmax(dim=1) == split.labels).double().mean()
    return {"loss": loss(logits, split.labels).item(), "accuracy": 100 * correct.item()}
