"""Loading a finished run for evaluation and analyses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pj.config.spec import RunSpec
from pj.data import store
from pj.data.batches import Normalise, Split, splits
from pj.errors import UserError
from pj.runs import records
from pj.training import build
from pj.training.device import Conditions, configure

if TYPE_CHECKING:
    from pj.losses import Loss


@dataclass(frozen=True)
class FinishedRun:
    """A network with its selected weights, in eval mode, on the data it was trained on."""

    spec: RunSpec
    dataset: store.Dataset
    checkpoint: dict[str, Any]
    model: nn.Module
    loss: Loss
    splits: dict[str, Split]
    normalise: Normalise
    conditions: Conditions


def load(
    folder: Path, data: Path, *, device: str = "auto", precision: str | None = None, threads: int = 1
) -> FinishedRun:
    """Load a finished run.

    Args:
        folder: of the run.
        data: a file of `pj.data.store`.
        device: auto, cpu, cuda or cuda:<index>.
        precision: auto, fp32 or bf16; None uses the run's own.
        threads: of the CPU.

    Raises:
        RecordError: the folder is not a finished record.
        UserError: the run diverged.
        DataError: ``data`` is not what the run was trained on.

    """
    record = records.read_run(folder)
    if record["state"] == "diverged":
        step = record["diverged_at_step"]
        raise UserError(f"{folder} diverged at step {step}, so it has no usable weights")
    dataset = store.load(data)
    if dataset.sha256 != record["data_sha256"]:
        raise store.DataError(f"{data} is not the data that {folder} was trained on; train that run again")
    spec = RunSpec.model_validate(record["spec"])
    conditions = configure(device, precision or spec.precision, threads)
    model = build.network(spec, dataset, conditions.device)
    parts = splits(dataset, spec.data, conditions.device)
    checkpoint = torch.load(folder / records.CHECKPOINT, weights_only=True)
    model.load_state_dict(checkpoint["weights"])
    return FinishedRun(
        spec=spec,
        dataset=dataset,
        checkpoint=checkpoint,
        model=model.eval(),
        loss=build.loss(spec),
        splits=parts,
        normalise=Normalise(spec.data, parts["train"]),
        conditions=conditions,
    )
