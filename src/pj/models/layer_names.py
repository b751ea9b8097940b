"""Names of layers that do not depend on a network's attribute names."""

from __future__ import annotations

from collections import Counter

from torch import nn

KINDS = {nn.Conv2d: "conv", nn.Linear: "linear"}


def layers(model: nn.Module) -> dict[str, str]:
    """Return the convolutions and linear layers of a network: name -> path of the submodule.

    They are numbered by kind in the order of the model's parameters (conv1, conv2, …, linear1, …), so that
    a layer has the same name with and without batch norm.
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
    """Return the layers of a network that have feature maps: its convolutions, and those in its ``MAPS``.

    Of a network that declares neither ``LAYERS`` nor ``MAPS`` any module can be named by its path, such as
    ``layer4`` or ``features.0``.
    Residual nets name their blocks (block1, block2, …; in a wide residual net the groups) and ``features``,
    the last maps, after batch norm and ReLU, before the global pooling.
    """
    convolutions = {name: path for name, path in layers(model).items() if name.startswith("conv")}
    if hasattr(model, "LAYERS") or hasattr(model, "MAPS"):
        return convolutions | getattr(model, "MAPS", {})
    return {path: path for path, _ in model.named_modules() if path} | convolutions
