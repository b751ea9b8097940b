"""What a finished run is worth: its selected weights measured once on every split."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from pj import files, records
from pj.data import store
from pj.data.batches import Normalise, Split, splits
from pj.provenance import provenance
from pj.spec import RunSpec
from pj.training import build
from pj.training.device import configure
from pj.training.measure import loss_and_accuracy, predict

log = logging.getLogger(__name__)


def evaluate(
    folder: Path, data: Path, output: Path, *, device: str = "auto", threads: int = 1
) -> dict[str, Any]:
    """Write evaluation.json of a finished run, and return that run's record.

    ``selected`` holds loss and accuracy (percent) of the checkpoint on train (clean images, eval mode),
    validation and test, and the test confusion matrix (rows: true class). ``last`` and ``best_test``
    come from metrics.csv; the latter is the reports' way of choosing and nothing else uses it. A
    diverged run has no ``selected``, and only its epochs before the divergence count.

    Raises RecordError for an unfinished run, DataError for data other than the run was trained on.
    """
    record = records.read_run(folder)
    spec = RunSpec.model_validate(record["spec"])
    dataset = store.load(data)
    if dataset.sha256 != record["data_sha256"]:
        raise store.DataError(f"{data} is not what {folder} was trained on; train that run again")
    metrics = records.read_metrics(folder)
    result: dict[str, Any] = {
        "state": record["state"],
        "diverged_at_step": record["diverged_at_step"],
        "parameters": record["parameters"],
        "seconds": record["seconds"],
        "epochs": record["epochs"],
        "training": {key: record[key] for key in ("precision", "threads", "code", "provenance")},
        **_epochs(metrics, diverged=record["state"] == "diverged"),
    }
    if record["state"] == "complete":
        conditions = configure(device, spec.precision, threads)
        checkpoint = torch.load(folder / records.CHECKPOINT, weights_only=True)
        model = build.network(spec, dataset, conditions.device)
        model.load_state_dict(checkpoint["weights"])
        loss = build.loss(spec)
        normalise = Normalise(spec.data, dataset.channels, conditions.device)
        epoch = checkpoint["epoch"]
        result["selected"] = {"epoch": epoch, "by": checkpoint["selected_by"]}
        result["selected"]["running_train_accuracy"] = metrics[epoch - 1]["train_accuracy"]
        for name, split in splits(dataset, spec.data, conditions.device).items():
            logits = predict(model, split, normalise, conditions)
            result["selected"][name] = loss_and_accuracy(logits, split, loss)
            log.info("%s: %s", name, result["selected"][name])
            if name == "test":
                result["confusion"] = confusion(logits, split, dataset.classes)
        result["precision"], result["provenance"] = conditions.precision, provenance(conditions.device)
    files.write_json(output, result)
    return record


def confusion(logits: torch.Tensor, split: Split, classes: int) -> list[list[int]]:
    """Return how often each true class (row) was taken for each class (column)."""
    pairs = split.labels * classes + logits.argmax(dim=1)
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes).tolist()


def _epochs(metrics: list[dict[str, float]], *, diverged: bool) -> dict[str, Any]:
    """Return the last epoch and the one of best test accuracy; None where there is none."""
    rows = metrics[:-1] if diverged else metrics
    best = max(rows, key=lambda row: row["test_accuracy"], default=None)  # the earliest of equals
    return {"last": rows[-1] if rows else None, "best_test": best}
