"""Training small runs, killing them, and comparing what they leave."""

import os
from pathlib import Path

import pytest
import torch

from pj.data import store
from pj.runs.records import read_metrics
from pj.training import loop
from pj.training.device import configure

SAM = {"name": "sam", "lr": 0.05, "rho": 0.1, "adaptive": True, "momentum": 0.9}
# Of every optimizer, data and probes of runs of a few steps.
OPTIONS = {
    "sgd": {"lr": 0.05, "momentum": 0.9},
    "adam": {"lr": 0.002},
    "adamw": {"lr": 0.002, "weight_decay": 0.1},
    "rmsprop": {"lr": 0.001},
    "sam": SAM,
    "dessilbi": {"lr": 0.05, "nu": 5.0, "momentum": 0.9, "lambdas": {"linear": 0.0001}},
}
DATA = {"name": "digits", "train": 200, "validation": 60, "test": 100, "crop": 2, "flip": True}
ERASED = {"cutout": {"side": 6}, "erasing": {"p": 0.5}, "mean": "auto"}
POLICY = {"randaugment": {"num_ops": 2}}
JITTERED = {"jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}}
PROBE = {"every": 3, "gradient": {"absolute": [0.1], "relative": [1.0]}, "ics": ["linear1"]}
# What is common in recipes for CIFAR; the learning rate drops in the second epoch of two.
RECIPE = {
    "loss": {"name": "cross_entropy", "label_smoothing": 0.1},
    "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.05, "nesterov": True},
    "decay_norms_and_biases": False,
    "schedule": {"name": "multi_step", "milestones": [1.0], "warmup": 0.5},
    "clip_norm": 0.5,
    "ema": {"decay": 0.9},
}
FINAL = {
    "data": {"name": "digits", "train": 200, "validation": 60, "test": 100, "crop": 2, "cutmix": {}},
    "model": {"name": "wide_resnet", "depth": 10, "widen_factor": 1, "width": 0.5},
    "loss": {"name": "kl_div"},
    "optimizer": SAM,
    "schedule": {"name": "cosine"},
    "precision": "bf16",
}
MLP = {"model": {"name": "mlp", "width": 0.1}, "select": "best_validation"}


DEVICE = os.environ.get("PJ_TEST_DEVICE", "cpu")  # on which tests of training run, where they name none


def train(spec, digits, folder, seed=0, **options):
    return loop.train(spec, seed, digits, folder, **{"device": DEVICE} | options)


def take_epoch(training, epoch):
    """Take the steps of an epoch, without what comes at its end."""
    training.batches.start_epoch(epoch)
    while training.step < training.batches.steps:
        training.train_step()


def trained(spec, digits, seed=0):
    """Return a training after its last epoch."""
    training = loop.Training(spec, seed, store.load(digits), configure("cpu", spec.precision, 1))
    for epoch in range(spec.epochs):
        take_epoch(training, epoch)
        training.end_epoch()
    return training


def content(folder: Path):
    """Everything in a run folder that must not depend on when it was made."""
    checkpoint = torch.load(folder / "checkpoint.pt", weights_only=True)
    metrics = [{k: v for k, v in row.items() if k != "seconds"} for row in read_metrics(folder)]
    return checkpoint, metrics


def assert_equal_runs(a: Path, b: Path) -> None:
    (first, first_metrics), (second, second_metrics) = content(a), content(b)
    assert repr(first_metrics) == repr(second_metrics)  # where NaN equals NaN
    assert first.keys() == second.keys()
    for part in {"weights", "gamma", "selected"} & first.keys():
        tensors, others = first.pop(part), second.pop(part)
        assert tensors.keys() == others.keys()
        assert all(tensors[k].numpy().tobytes() == others[k].numpy().tobytes() for k in tensors)
    assert first == second


class Killed(BaseException):
    """Raised instead of kill -9: no code may clean up."""


def killed_after(steps, monkeypatch, spec, digits, folder, resume, **options):
    original, taken = loop.Training.train_step, []

    def step(self):
        if len(taken) == steps:
            raise Killed
        taken.append(1)
        original(self)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "train_step", step)
        with pytest.raises(Killed):
            train(spec, digits, folder, resume=resume, **options)
