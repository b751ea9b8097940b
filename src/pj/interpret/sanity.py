"""Two tests of whether a map shows what the network uses.

Deletion (Petsiuk et al. 2018, "RISE", section 3.3): pixels are removed from the most important one on; the
better the map, the faster the probability of the class falls. Randomised weights (Adebayo et al. 2018,
"Sanity Checks for Saliency Maps", section 3): a map that stays the same when the weights are randomised,
from the last layer to the first, does not depend on what the network has learnt.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from scipy import stats
from torch import Tensor, nn

from pj.models import layer_names


def ranks(maps: Tensor, draw: torch.Generator) -> Tensor:
    """Return the rank of each pixel in the order of removal: 0 for the most important.

    Args:
        maps: [N, H, W].
        draw: a CPU generator, which orders pixels of equal importance.

    Returns:
        int64 [N, H, W].

    """
    flat = maps.flatten(1)
    shuffled = torch.rand(flat.shape, generator=draw).to(flat.device).argsort(dim=1)
    by_importance = flat.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    order = shuffled.gather(1, by_importance)
    places = torch.arange(flat.shape[1], device=flat.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places).view(maps.shape)


@torch.no_grad()
def deletion(
    model: nn.Module, images: Tensor, ranks: Tensor, target: Tensor, shares: Sequence[float], fill: Tensor
) -> Tensor:
    """Return the probability of a class as more and more of each image is removed.

    Args:
        model: maps images to logits [N, K]; in eval mode.
        images: [N, C, H, W].
        ranks: of the pixels, from `ranks`.
        target: the class of each image, int64 [N].
        shares: of the pixels that are removed, in [0, 1].
        fill: the colour of a removed pixel, [C].

    Returns:
        float [N, S].

    """
    found = []
    for share in shares:
        removed = (ranks < share * ranks[0].numel())[:, None]
        logits = model(torch.where(removed, fill[:, None, None], images))
        found.append(logits.float().softmax(dim=1).gather(1, target[:, None]))
    return torch.cat(found, dim=1)


def area(curves: Tensor, shares: Sequence[float]) -> Tensor:
    """Return the areas [N] under curves [N, S]: the mean probability, by the trapezoid rule."""
    x = torch.tensor(shares, dtype=curves.dtype, device=curves.device)
    return torch.trapezoid(curves, x, dim=1) / (x[-1] - x[0])


def randomised(model: nn.Module, draw: torch.Generator) -> Iterator[tuple[str, nn.Module]]:
    """Yield copies of a network in which more and more layers are randomised, from the last to the first.

    A layer (of `pj.models.layer_names`) is randomised by shuffling its weight's elements, which keeps their
    distribution; in the copy yielded for a layer all layers after it are randomised too. Each copy is the
    same object, changed in place: use it before asking for the next.
    """
    copied = copy.deepcopy(model)
    for name, path in reversed(layer_names.layers(model).items()):
        weight = copied.get_parameter(f"{path}.weight")
        order = torch.randperm(weight.numel(), generator=draw).to(weight.device)
        with torch.no_grad():
            weight.copy_(weight.flatten()[order].view_as(weight))
        yield name, copied


def rank_correlations(maps: Tensor, others: Tensor) -> list[float | None]:
    """Return Spearman's correlation of each map with its counterpart; None where one is constant.

    Args:
        maps: [N, h, w].
        others: [N, h, w].

    """
    found: list[float | None] = []
    for a, b in zip(maps.flatten(1).cpu(), others.flatten(1).cpu(), strict=True):
        constant = bool((a == a[0]).all() or (b == b[0]).all())
        found.append(None if constant else float(stats.spearmanr(a, b).statistic))
    return found
