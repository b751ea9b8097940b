"""Finished runs that were never trained: their files, with planted accuracies."""

import json

from pj.config.settings import Reported, Scale, Study, Variant
from pj.config.spec import RunSpec

# Two variants whose tables and claims are soon written.
CONFIG = """
claims: claims.yaml
seeds: [0, 1, 2]
threads: 1
datasets: {digits: {source: digits}}
studies:
  own:
    title: Own
    reference: slow
    base:
      data: {name: digits, validation: 100}
      model: {name: mlp}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.1}
      epochs: 2
      batch_size: 10
      select: best_validation
    variants:
      slow: {reported: {test: 56.1}}
      fast_1.5: {optimizer: {lr: 0.2}, model: {dropout: 0.1}}
"""
CLAIMS = """
claims:
  - id: 3
    report: ours
    statement: Faster is better.
    statistic: contrast
    contrast: {own/fast_1.5: 1, own/slow: -1}
    expect: above
"""


def variant(name, lr, seeds=(0, 1, 2), scale=None, title=None, **reported):
    spec = {
        "data": {"name": "digits", "validation": 100},
        "model": {"name": "mlp"},
        "loss": {"name": "cross_entropy"},
        "optimizer": {"name": "sgd", "lr": lr},
        "epochs": 2,
        "batch_size": 10,
        "select": "best_validation",
    }
    return Variant(
        study="s",
        name=name,
        title=title or name,
        spec=RunSpec.model_validate(spec),
        seeds=seeds,
        scale=scale or Scale(),
        reported=Reported(**reported),
    )


def study(*variants, **changes):
    frame = {"name": "s", "title": "A study", "report": "A 1", "compare": "selected", "reference": None}
    return Study(**frame | changes, variants=variants)


def write_run(runs, variant, seed, accuracy, state="complete", epochs=2, precision="fp32", wrong=None):
    """Write a run's folder; its test accuracy is ``accuracy`` where selected, one point more at the end."""
    folder = runs / variant.spec.run / f"seed{seed}"
    folder.mkdir(parents=True)
    diverged = state == "diverged"
    row = {"epoch": 1.0, "test_accuracy": accuracy + 1}
    measured = {"loss": 1.0, "accuracy": accuracy}
    evaluation = {
        "state": state,
        "diverged_at_step": 7 if diverged else None,
        "parameters": 1234,
        "seconds": 10.0 + seed,
        "epochs": epochs,
        "training": {
            "precision": precision,
            "threads": 1,
            "code": "c",
            "provenance": {"device": "cpu", "processor": "P", "torch": "2", "commit": "abc"},
        },
        "last": None if diverged else row,
        "best_test": None if diverged else row | {"test_accuracy": accuracy + 2},
    }
    if not diverged:
        evaluation["selected"] = {"epoch": 1, "running_train_accuracy": accuracy - 5}
        evaluation["selected"] |= dict.fromkeys(("train", "validation", "test"), measured)
    if wrong is not None:
        evaluation["wrong"] = wrong
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    lines = ["epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,test_loss,test_accuracy"]
    lines += [f"{e},{1 / e},{accuracy},{2 / e},{accuracy},1,{accuracy}" for e in range(1, epochs + 1)]
    if diverged:
        lines[-1] = f"{epochs},nan,10,inf,10,inf,10"
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    record = {"state": state, "data_sha256": "d", "parameters": 1234}
    (folder / "run.json").write_text(json.dumps(record))
