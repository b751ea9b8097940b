"""Observers of a run in training, loaded only for runs that ask for them."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from pj.config.spec import RunSpec

if TYPE_CHECKING:
    from torch import nn

    from pj.landscape.probes import Loss
    from pj.training.probing import Probing

# a registry, so that the code of probes is part of the fingerprint of probed runs only
REGISTRY = {"probe": "pj.training.probing:Probing"}


def probing(spec: RunSpec, model: nn.Module, loss: Loss) -> Probing | None:
    """Return the probes that a specification asks for; None if it asks for none."""
    return resolve_name(REGISTRY["probe"])(spec.probe, model, loss) if spec.probe else None
