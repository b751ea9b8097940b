"""The accuracy of a finished run as units are pruned, in several orders."""

from __future__ import annotations

import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pj import files
from pj.config.analyses.pruning import Percents, Pruned
from pj.errors import UserError
from pj.pruning import networks
from pj.randomness import generator
from pj.runs import finished
from pj.training.accuracy import loss_and_accuracy, predict

log = logging.getLogger(__name__)


def measure(run: finished.FinishedRun, asked: Pruned) -> dict[str, Any]:
    """Return ``rows``, one per method, percentage and draw: test accuracy (percent), loss and size.

    ``outside_support`` is the share of the removed units, in percent, whose Γ was zero at the end; it is
    None for a run without Γ, and where nothing is removed. ``size`` is that of the narrowed network.

    Raises:
        UserError: a layer that cannot be pruned, a percentage that leaves nothing, or ``path`` for a run
            without Γ.

    """
    try:
        return {"rows": [row for method in asked.methods for row in _curve(run, asked, method)]}
    except ValueError as error:
        raise UserError(f"{run.spec.run}: {error}") from error


def export(run: finished.FinishedRun, asked: Pruned, path: Path) -> dict[str, Any]:
    """Write the narrowed network of the first order and percentage as a program that runs without pj.

    `torch.export.load` reads it; it maps normalised images [N, C, H, W] to logits [N, K].

    Returns:
        Its row of `measure`, with the size of the ``whole`` network.

    """
    (row,) = measure(run, asked)["rows"]
    network = networks.narrowed(run.model, _removed(run, asked, asked.methods[0], 0, asked.percents[0]))
    images = run.normalise(run.splits["test"].images[:2])
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(network, (images,), dynamic_shapes=({0: batch},))
    with files.replaced(path) as temporary, temporary.open("wb") as file, warnings.catch_warnings():
        # flattening gives weights strides for which torch.export warns; they are complete and on the CPU
        warnings.filterwarnings("ignore", "No complete tensor found in the group")
        torch.export.save(program, file)
    return row | {"whole": asdict(networks.size(run.model, images[:1]))}


def _curve(run: finished.FinishedRun, settings: Percents, method: str) -> list[dict[str, Any]]:
    images = run.normalise(run.splits["test"].images[:8])
    rows = []
    for draw in range(settings.draws if method == "random" else 1):
        for percent in settings.percents:
            removed = _removed(run, settings, method, draw, percent)
            counts = {name: len(units) for name, units in removed.items()}
            network = networks.masked(run.model, removed)
            logits = predict(network, run.splits["test"], run.normalise, run.conditions)
            row: dict[str, Any] = {"method": method, "percent": percent, "draw": draw, "removed": counts}
            row |= loss_and_accuracy(logits, run.splits["test"], run.loss)
            row["outside_support"] = _outside_support(run, removed)
            row["size"] = asdict(networks.size(networks.checked(run.model, removed, images), images[:1]))
            rows.append(row)
            log.info("%s, %g %%: %.2f %%", method, percent, row["accuracy"])
    return rows


def _removed(
    run: finished.FinishedRun, settings: Percents, method: str, draw: int, percent: float
) -> dict[str, Tensor]:
    """Return the units of each layer that are removed."""
    orders = {name: _order(run, name, method, draw) for name in settings.layers}
    counts = {name: networks.count(len(order), percent) for name, order in orders.items()}
    return {name: order[len(order) - counts[name] :] for name, order in orders.items()}


def _order(run: finished.FinishedRun, name: str, method: str, draw: int) -> Tensor:
    networks.check_prunable(run.model, [name])
    key = run.checkpoint["layers"][name]
    return networks.order(
        run.model.get_parameter(key).detach(),
        method,
        gamma=run.checkpoint.get("gamma", {}).get(key),
        selected=run.checkpoint.get("selected", {}).get(key),
        draw=generator(draw, "prune", name),
    )


def _outside_support(run: finished.FinishedRun, removed: dict[str, Tensor]) -> float | None:
    if "gamma" not in run.checkpoint or not sum(map(len, removed.values())):
        return None
    zero = []
    for name, units in removed.items():
        gamma = run.checkpoint["gamma"][run.checkpoint["layers"][name]]
        zero.append(networks.unit_norms(gamma)[units] == 0)
    return 100 * torch.cat(zero).double().mean().item()
