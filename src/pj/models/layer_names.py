"""One name for a layer, whatever its network calls it."""

from __future__ import annotations

from collections import Counter

from torch import nn

KINDS = {nn.Conv2d: "conv", nn.Linear: "linear"}


def layers(model: nn.Module) -> dict[str, str]:
    """Return where the convolutions and linear layers of a network are: name -> path of the submodule.

    They are numbered by kind in the order of the model's parameters (conv1, conv2, …, linear1, …), so that
    a layer has one name with and without batch norm.
    """
    found = {}
    counts: Counter[str] = Counter()
    for path, module in model.named_modules():
        kind = next((kind for cls, kind in KINDS.items() if isinstance(module, cls)), None)
        if kind is not None:
            counts[kind] += 1
            found[f"{kind}{counts[kind]}"] = path
    return found


def maps(model: nn.Module) -> dict[str, str]:
    """Return where a network's feature maps are: its convolutions, and what else it names.

    Residual nets name their blocks (block1, block2, …; of a wide residual net its groups) and ``features``,
    the last maps, after batch norm and ReLU, before the global pooling.
    """
    convolutions = {name: path for name, path in layers(model).items() if name.startswith("conv")}
    return convolutions | getattr(model, "MAPS", {})
