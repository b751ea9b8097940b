"""What only building it can check, tried once before the runs: a network, and all parts of a user's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pj import files
from pj.config.messages import choice_fault
from pj.config.spec import RunSpec
from pj.data import store
from pj.data.steps import steps_per_epoch
from pj.errors import UserError
from pj.models import layer_names
from pj.own import traceback_of_others
from pj.pruning import networks
from pj.training import build, own_parts, schedule
from pj.training.build import Images

log = logging.getLogger(__name__)


def describe(spec: RunSpec, dataset: Images) -> dict[str, Any]:
    """Return parameters, multiply-accumulate operations for one image, and names of layers.

    UserError if the network cannot be built, cannot read the dataset's images, or gives another number of
    logits than there are classes.
    """
    try:
        model = build.network(spec, dataset, torch.device("cpu")).eval()
    except UserError:
        raise
    except Exception:
        raise UserError(f"{spec.network} cannot be used:\n{traceback_of_others()}") from None
    image = torch.zeros(1, dataset.channels, dataset.image_size, dataset.image_size)
    try:
        size = networks.size(model, image)
        with torch.no_grad():
            outputs = [model.train(mode)(image.expand(2, -1, -1, -1)) for mode in (False, True)]
    except Exception:
        shape = list(image.shape[1:])
        raise UserError(f"{spec.network} fails on images {shape}:\n{traceback_of_others()}") from None
    wanted = [2, dataset.classes]
    for logits in outputs:
        found = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        if found != wanted:
            raise UserError(
                f"{spec.network} gives {found} for two images; needed: logits {wanted}, one per class of "
                f"{spec.data.name}"
            )
    return {
        "network": spec.network,
        "parameters": size.parameters,
        "macs": size.macs,
        "layers": list(layer_names.layers(model)),
        "prunable": _prunable(model.eval(), image),
    }


def _prunable(model: nn.Module, image: torch.Tensor) -> list[str]:
    """Return the layers that can be pruned, of which the first filter has been removed on trial."""
    noise = torch.randn(2, *image.shape[1:], generator=torch.Generator().manual_seed(0))
    found = []
    for name, units in networks.prunable(model).items():
        try:
            networks.checked(model, {name: torch.arange(min(1, units - 1))}, noise)
            found.append(name)
        except ValueError as error:
            log.warning("%s", error)
    return found


def check(spec: RunSpec, dataset: store.Dataset) -> dict[str, Any]:
    """Return what `describe` finds, and try all parts that are the user's own; UserError for a fault in one.

    Args:
        spec: of `pj.config.spec.checks`.
        dataset: of its runs.

    """
    found = describe(spec, dataset)
    if spec.probe:
        _check_layers(spec.probe.ics, found["layers"])
    if "schedule" in spec.own_parts:
        images = spec.data.train or len(dataset.y_train) - spec.data.validation
        schedule.check(spec.schedule, spec.epochs, steps_per_epoch(images, spec.batch_size))
    own_parts.check(spec, dataset)
    return found


def _check_layers(asked: Sequence[str], known: Sequence[str]) -> None:
    for name in asked:
        if name not in known:
            raise UserError(choice_fault(("probe", "ics"), name, known))


def write(spec: RunSpec, data: Path, output: Path) -> None:
    """Write what `check` finds of a prepared dataset's images."""
    files.write_json(output, check(spec, store.load(data)))
