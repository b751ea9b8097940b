"""The evaluation of a finished run: its selected weights measured once on every split."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from pj.data.batches import Split
from pj.runs import finished, records
from pj.runs.provenance import provenance
from pj.training.accuracy import loss_and_accuracy, predict

log = logging.getLogger(__name__)
FAST = 70.0  # percent; the first epoch that reaches this test accuracy measures how fast a run converges


def evaluate(
    folder: Path, data: Path, output: Path, *, code: str = "", device: str = "auto", threads: int = 1
) -> None:
    """Write evaluation.json of a finished run.

    ``selected`` holds loss and accuracy (percent) of the checkpoint on train (clean images, eval mode),
    validation and test, the test confusion matrix (rows: true class), the classes ``predicted`` for the test
    images in their order, and which of them are ``wrong``. ``last``, ``best_test`` and ``epochs_to_70``
    (None: never) come from metrics.csv; ``best_test`` is the epoch that some reports print, and selects
    nothing here. ``made`` says by which ``code`` (a fingerprint) and
    of which checkpoint. A diverged run has no ``selected``, and only its epochs before the divergence count.

    Raises RecordError for an unfinished run, DataError for data other than the run was trained on.
    """
    record = records.read_run(folder)
    metrics = records.read_metrics(folder)
    result: dict[str, Any] = {
        "state": record["state"],
        "diverged_at_step": record["diverged_at_step"],
        "parameters": record["parameters"],
        "gradients": record["gradients"],
        "replayed_steps": record.get("replayed_steps", 0),  # of records made before there was a capture
        "seconds": record["seconds"],
        "epochs": record["epochs"],
        "spec": record["spec"],
        "seed": record["seed"],
        "made": {"code": code, "checkpoint_sha256": record["checkpoint_sha256"]},
        "training": {key: record[key] for key in ("precision", "threads", "code", "provenance")},
        **_epochs(metrics, diverged=record["state"] == "diverged"),
    }
    if record["state"] == "complete":
        run = finished.load(folder, data, device=device, threads=threads)
        epoch = run.checkpoint["epoch"]
        result["selected"] = {"epoch": epoch, "by": run.checkpoint["selected_by"]}
        result["selected"]["running_train_accuracy"] = metrics[epoch - 1]["train_accuracy"]
        for name, split in run.splits.items():
            logits = predict(run.model, split, run.normalise, run.conditions)
            result["selected"][name] = loss_and_accuracy(logits, split, run.loss)
            log.info("%s: %s", name, result["selected"][name])
            if name == "test":
                result["classes"] = run.dataset.names
                result["confusion"] = confusion(logits, split, run.dataset.classes)
                predicted = logits.argmax(dim=1)
                result["predicted"] = predicted.tolist()
                result["wrong"] = (predicted != split.labels).nonzero().flatten().tolist()
        result["precision"] = run.conditions.precision
        result["provenance"] = provenance(run.conditions.device)
    records.write_json(output, result)


def confusion(logits: torch.Tensor, split: Split, classes: int) -> list[list[int]]:
    """Return how often each true class (row) was predicted as each class (column)."""
    pairs = split.labels * classes + logits.argmax(dim=1)
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes).tolist()


def _epochs(metrics: list[dict[str, float]], *, diverged: bool) -> dict[str, Any]:
    """Return the last epoch, that of best test accuracy, and the first that reaches `FAST`, or None each."""
    rows = metrics[:-1] if diverged else metrics
    best = max(rows, key=lambda row: row["test_accuracy"], default=None)  # the earliest of equals
    fast = next((int(row["epoch"]) for row in rows if row["test_accuracy"] >= FAST), None)
    return {"last": rows[-1] if rows else None, "best_test": best, "epochs_to_70": fast}
