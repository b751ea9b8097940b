"""Clipping, weight decay by kind of parameter and the average of weights, against torch's plain loop."""

import copy
import re
from pathlib import Path

import pytest
import torch
import yaml
from pydantic import ValidationError
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from helpers.runs import RECIPE, SAM, train
from helpers.sources import source
from pj import optim
from pj.config.scaling import at_scale
from pj.config.settings import Scale
from pj.data import store
from pj.runs import finished
from pj.runs.records import read_metrics
from pj.training import build
from pj.training.accuracy import loss_and_accuracy, predict
from pj.training.device import configure
from pj.training.run import Training

MLP = {"model": {"name": "mlp", "width": 0.02, "batch_norm": True, "dropout": 0.0}}


def begun(run, digits):
    training = Training(run, 0, store.load(digits), configure("cpu", "fp32", 1))
    training.batches.start_epoch(0)
    return training


def norms_and_biases(model):
    """Name them by hand: in the networks here, batch norms are the layers with running statistics."""
    norms = {
        id(p) for m in model.modules() if hasattr(m, "running_mean") for p in m.parameters(recurse=False)
    }
    return [id(p) in norms or name.endswith(".bias") for name, p in model.named_parameters()]


def test_a_run_of_the_whole_recipe_is_torchs_plain_loop(spec, digits):
    """Nesterov, decay by group, warm-up, clipping, label smoothing and the average, step by step."""
    training = begun(spec(**MLP, **RECIPE), digits)
    model = copy.deepcopy(training.model)
    exempt = norms_and_biases(model)
    groups = [
        {
            "params": [p for p, e in zip(model.parameters(), exempt, strict=True) if e == kind],
            "weight_decay": d,
        }
        for kind, d in ((False, 0.05), (True, 0.0))
    ]
    plain = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    warmup = torch.optim.lr_scheduler.LinearLR(plain, 0.01, total_iters=2)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    average.update_parameters(model)  # the first update copies: the average begins at the initial weights
    clipped = []
    for step in range(4):
        images, labels = training.batches[step]
        plain.zero_grad()
        nn.functional.cross_entropy(model(images), labels, label_smoothing=0.1).backward()
        clipped.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.5)) > 0.5)
        plain.step()
        warmup.step()
        average.update_parameters(model)
        training.train_step()
    assert True in clipped and 0 < sum(exempt) < len(exempt)
    for ours, theirs in zip(training.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    theirs = average.module.state_dict()
    for name, ours in training.evaluated.state_dict().items():
        if ours.is_floating_point():
            torch.testing.assert_close(ours, theirs[name])  # running statistics too
        else:
            assert ours == model.state_dict()[name] == 4


def test_with_sam_both_gradients_are_clipped(spec, digits):
    run = spec(**MLP, optimizer=SAM | {"adaptive": False}, clip_norm=0.05)
    training = begun(run, digits)
    model = copy.deepcopy(training.model)
    plain = optim.create("sam", model.parameters(), lr=0.05, rho=0.1, momentum=0.9)
    norms = []
    for step in range(2):
        images, labels = training.batches[step]

        def closure(images=images, labels=labels):
            plain.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.05)))
            return loss

        plain.step(closure)
        training.train_step()
    assert len(norms) == 4 and min(norms) > 0.05
    for ours, theirs in zip(training.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.batch, self.instance = (
            nn.Conv2d(1, 2, 1),
            nn.BatchNorm2d(2),
            nn.InstanceNorm2d(2, affine=True),
        )
        self.group, self.layer, self.rms = nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.RMSNorm(2)
        self.attention, self.linear = nn.MultiheadAttention(2, 1), nn.Linear(2, 2, bias=False)
        self.table = nn.Parameter(torch.ones(3))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "sam"])
def test_norms_and_biases_are_exempt_with_every_optimizer_that_has_weight_decay(name, spec):
    model = Layers()
    options = {"name": name, "lr": 0.1, "weight_decay": 0.3}
    optimizer = build.optimizer(spec(optimizer=options, decay_norms_and_biases=False), model, 1)
    names = {p: name for name, p in model.named_parameters()}
    found = {names[p]: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    decayed = {
        "conv.weight",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "linear.weight",
        "table",
    }
    assert found == {name: 0.3 if name in decayed else 0.0 for name in names.values()}


def test_the_average_is_what_is_measured_selected_and_kept(spec, digits, tmp_path):
    """Training goes on with the raw weights: it takes the steps that it takes without an average."""
    runs = {
        name: begun(spec(**MLP, ema=ema), digits) for name, ema in (("raw", None), ("ema", {"decay": 0.5}))
    }
    for training in runs.values():
        for _ in range(4):
            training.train_step()
        training.end_epoch()
    raw, averaged = runs["raw"], runs["ema"]
    for ours, theirs in zip(averaged.model.parameters(), raw.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert averaged.rows[0]["train_loss"] == raw.rows[0]["train_loss"]
    logits = predict(
        averaged.averaged.network, averaged.splits["test"], averaged.normalise, averaged.conditions
    )
    measured = torch.nn.functional.cross_entropy(logits, averaged.splits["test"].labels).item()
    assert averaged.rows[0]["test_loss"] == pytest.approx(measured) != raw.rows[0]["test_loss"]
    for name, kept in averaged.selected()["weights"].items():
        assert torch.equal(kept, averaged.averaged.network.state_dict()[name])

    best = spec(**MLP, ema={"decay": 0.5}, select="best_validation")
    train(best, digits, tmp_path)
    run = finished.load(tmp_path, digits)
    logits = predict(run.model, run.splits["validation"], run.normalise, run.conditions)
    row = read_metrics(tmp_path)[run.checkpoint["epoch"] - 1]
    assert row["validation_loss"] == loss_and_accuracy(logits, run.splits["validation"], run.loss)["loss"]


def test_the_recipe_of_the_documentation_trains(spec, digits, tmp_path):
    page = (Path(__file__).parents[2] / "docs/how-to/add-a-study.md").read_text()
    block = re.search(r"## Train with a modern recipe.*?```yaml\n(.*?)```", page, re.DOTALL)[1]
    run = at_scale(spec(**MLP, **yaml.safe_load(block)), Scale(name="x", epochs=2), source("digits"), None)
    assert train(run, digits, tmp_path) == "complete" and run.schedule.warmup == 0.1


def test_divergence_is_that_of_the_raw_weights(spec, digits):
    training = begun(spec(**MLP, ema={"decay": 0.5}), digits)
    for _ in range(4):
        training.train_step()
    next(training.model.parameters()).data.fill_(float("inf"))  # not taken into the average
    training.end_epoch()
    assert training.diverged_at == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"optimizer": {"name": "sgd", "lr": 0.1, "nesterov": True}},
            "nesterov needs optimizer.momentum above 0",
        ),
        (
            {"optimizer": {"name": "sam", "lr": 0.1, "nesterov": True}},
            "nesterov needs optimizer.momentum above 0",
        ),
        (
            {"optimizer": {"name": "sam", "base": "adam", "lr": 0.1, "nesterov": True}},
            "nesterov is allowed with base: sgd only, not with adam",
        ),
        ({"decay_norms_and_biases": False}, "needs weight decay, and optimizer.weight_decay is 0"),
        (
            {"optimizer": {"name": "dessilbi", "lr": 0.1}, "decay_norms_and_biases": False},
            "optimizer.weight_decay is no option of dessilbi",
        ),
        ({"clip_norm": 0}, "greater than 0"),
        ({"ema": {"decay": 1.0}}, "less than 1"),
        ({"ema": {"decay": 0.0}}, "greater than 0"),
    ],
)
def test_what_makes_no_sense_is_a_fault(changes, message, spec):
    with pytest.raises(ValidationError, match=message):
        spec(**changes)


def test_what_changes_nothing_is_absence_and_renames_no_run(spec):
    sgd = {"name": "sgd", "lr": 0.05, "momentum": 0.9}
    idle = {"decay_norms_and_biases": True, "clip_norm": None, "ema": None}
    assert spec(**idle, optimizer=sgd | {"nesterov": False}).json_text == spec().json_text
    assert len({spec(**changes).run for changes in ({}, {"clip_norm": 1.0}, {"ema": {}})}) == 3
