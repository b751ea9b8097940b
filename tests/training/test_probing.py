"""Probes along a run: they change nothing, resume exactly, and measure what they say."""

import math

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from helpers.runs import DEVICE, SAM, assert_equal_runs, killed_after, train, trained
from pj import models
from pj.data import store
from pj.landscape import probes
from pj.runs.records import PROBES, SHIFTS, STEPS, read_metrics
from pj.training.device import configure
from pj.training.run import Training

GRIDS = {"absolute": [0.01, 0.4], "relative": [0.5, 1.0, 2.0]}
PROBE = {"every": 3, "gradient": GRIDS, "update": GRIDS, "ics": ["conv1", "conv2"]}
SGD = {"name": "sgd", "lr": 0.05}
CONVNET = {"model": {"name": "convnet", "width": 0.05}}  # batch norm and dropout


def flat(state):
    """Return the tensors and numbers inside nested dictionaries and lists."""
    if isinstance(state, dict):
        return [leaf for key in sorted(state, key=str) for leaf in flat(state[key])]
    if isinstance(state, list | tuple):
        return [leaf for item in state for leaf in flat(item)]
    return [state]


@pytest.mark.parametrize(
    "changes",
    [
        CONVNET,
        CONVNET | {"precision": "bf16"},
        {"optimizer": SAM},
        {"model": {"name": "vgg_a", "width": 0.05}},
    ],
)
def test_a_run_with_probes_is_the_run_without_them(changes, spec, digits):
    runs = []
    for probe in (None, PROBE):
        training = trained(spec(**changes, probe=probe), digits)
        state = training.state_dict()
        del state["probing"]
        runs.append([*flat(state), torch.get_rng_state()])
    assert len(training.probing.found) == 3  # of eight steps
    for a, b in zip(*runs, strict=True):
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.parametrize("steps", [1, 3, 4, 6])
def test_a_killed_run_with_probes_resumes_bit_for_bit(steps, spec, digits, tmp_path, monkeypatch):
    probed = spec(**CONVNET, probe=PROBE)
    train(probed, digits, tmp_path / "whole")
    killed_after(steps, monkeypatch, probed, digits, tmp_path / "x", tmp_path / "r", save_every=0)
    train(probed, digits, tmp_path / "resumed", resume=tmp_path / "r")
    assert_equal_runs(tmp_path / "whole", tmp_path / "resumed")
    for name in (PROBES, SHIFTS, STEPS):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "resumed" / name).read_bytes()


@pytest.fixture
def probed(spec, digits, tmp_path):
    """The tables of a run with plain SGD, whose real update is -lr · g."""
    train(spec(optimizer=SGD, probe=PROBE), digits, tmp_path)
    return tmp_path, {name: pd.read_csv(tmp_path / name) for name in (PROBES, SHIFTS, STEPS)}


def test_probes_are_of_the_weights_before_their_step_on_its_batch(probed, spec, digits):
    _, tables = probed
    training = Training(spec(optimizer=SGD), 0, store.load(digits), configure(DEVICE, "fp32", 1))
    training.batches.start_epoch(0)
    for _ in range(3):
        training.train_step()
    found = probes.probe(training.model, training.loss, training.batches[3], GRIDS["absolute"])
    rows = tables[PROBES].query("step == 3 and line == 'gradient' and grid == 'absolute'")
    whole = rows[rows["layer"] == "all"]
    assert whole["loss"].tolist() == pytest.approx(found.losses.tolist())
    assert whole["gradient_distance"].tolist() == pytest.approx(found.gradient_distances.tolist())
    assert whole["length"].tolist() == pytest.approx(found.lengths.tolist())
    conv2 = rows[rows["layer"] == "conv2"]
    assert conv2["gradient_distance"].tolist() == pytest.approx(found.by_layer["conv2"].tolist())


def test_along_the_update_of_plain_sgd_is_along_the_negative_gradient(probed):
    table = probed[1][PROBES].set_index(["step", "grid", "size", "layer"])
    gradient, update = (table[table["line"] == line] for line in ("gradient", "update"))
    assert len(gradient) == len(update) == 3 * 5 * (1 + len(probes.layers(models.create("resnet9"))))
    # a float's rounding of W + update, over an update of lr times the gradient
    columns = ["loss", "length"]
    pd.testing.assert_frame_equal(gradient[columns], update[columns], rtol=1e-3)
    whole = [part.xs("all", level="layer")["gradient_distance"] for part in (gradient, update)]
    pd.testing.assert_series_equal(*whole, rtol=1e-2)


def test_relative_steps_are_multiples_of_the_learning_rate(probed):
    table = probed[1][PROBES].query("line == 'gradient' and layer == 'all'")
    norms = table["gradient_norm"] * table["size"] * table["grid"].map({"absolute": 1.0, "relative": 0.05})
    assert table["length"].tolist() == pytest.approx(norms.tolist())


def test_the_first_layers_shift_is_zero_at_every_probe_and_the_seconds_is_not(probed):
    norms = probed[1][SHIFTS].pivot(index="step", columns="layer", values="norm")
    assert norms.index.tolist() == [0, 3, 6]
    assert (norms["conv1"] == 0).all()
    assert (norms["conv2"] > 0).all()


def test_every_steps_loss_is_kept_and_agrees_with_the_epochs_mean(probed):
    folder, tables = probed
    steps = tables[STEPS]
    assert steps["step"].tolist() == list(range(8))
    assert steps["epoch"].tolist() == [1] * 4 + [2] * 4
    sizes = [64, 64, 64, 8] * 2  # of 200 images
    weighted = (steps["loss"] * sizes).groupby(steps["epoch"]).sum() / 200
    assert weighted.tolist() == pytest.approx([row["train_loss"] for row in read_metrics(folder)])


def test_a_probe_that_diverges_is_a_row_and_not_an_error(spec, digits, tmp_path):
    grids = {"gradient": {"absolute": [0.1, 1e30]}}
    train(spec(model={"name": "lenet"}, optimizer=SGD, probe={"every": 4, **grids}), digits, tmp_path)
    table = pd.read_csv(tmp_path / PROBES).query("layer == 'all'")
    by_size = table.assign(finite=table["loss"].abs() < float("inf")).groupby("size")["finite"]
    assert by_size.all()[0.1]
    assert not by_size.any()[1e30]


def test_layers_have_one_name_with_and_without_batch_norm():
    names = [list(probes.layers(models.create("vgg_a", width=0.05, batch_norm=b))) for b in (True, False)]
    assert names[0] == names[1]
    assert names[0] == [*(f"conv{i}" for i in range(1, 9)), "linear1", "linear2", "linear3"]


def test_a_probed_layer_that_does_not_exist_is_reported_before_training(spec):
    with pytest.raises(
        ValidationError, match=r"probe\.ics: no layer named 'conv9'; available: conv1, .*linear1"
    ):
        spec(probe={"ics": ["conv9"]})


def test_a_run_that_records_losses_alone_is_not_probed(spec, digits, tmp_path):
    train(spec(probe={"every": 1}), digits, tmp_path)
    assert len(pd.read_csv(tmp_path / STEPS)) == 8
    assert pd.read_csv(tmp_path / PROBES).empty and pd.read_csv(tmp_path / SHIFTS).empty


def taken(spec, digits, steps):
    training = Training(spec, 0, store.load(digits), configure(DEVICE, "fp32", 1))
    training.batches.start_epoch(0)
    for _ in range(steps):
        training.train_step()
    return training


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD | {"momentum": 0.9, "weight_decay": 0.01},
        {"name": "adamw", "lr": 0.003, "weight_decay": 0.1},
        SAM,
    ],
)
def test_the_whole_update_ends_at_the_next_weights(optimizer, spec, digits, tmp_path):
    """Also where it is no step along the gradient; and covariate shift takes that update."""
    train(spec(optimizer=optimizer, probe=PROBE | {"ics": ["conv3"]}), digits, tmp_path)
    table = pd.read_csv(tmp_path / PROBES)
    rows = table.query("step == 3 and line == 'update' and grid == 'relative' and layer == 'all'")
    unprobed = spec(optimizer=optimizer)
    before, after = taken(unprobed, digits, 3), taken(unprobed, digits, 4)
    batch = before.batches[3]
    wanted = probes.point(after.model, after.loss, batch).loss.item()
    assert rows.set_index("size")["loss"][1.0] == pytest.approx(wanted, rel=1e-4)
    shift = probes.ics(before.model, before.loss, batch, dict(after.model.named_parameters()), ["conv3"])
    found = pd.read_csv(tmp_path / SHIFTS).query("step == 3").iloc[0]
    assert found["norm"] == pytest.approx(shift["conv3"].norm.item(), rel=1e-3)
    assert found["cosine"] == pytest.approx(shift["conv3"].cosine.item(), rel=1e-3)


def test_probes_see_the_dropout_mask_of_their_step(spec, digits, tmp_path):
    """A vanishing step leaves the loss of the step itself."""
    model = {"name": "mlp", "width": 0.1, "dropout": 0.5}
    probe = {"every": 1, "gradient": {"absolute": [1e-9]}}
    train(spec(model=model, probe=probe), digits, tmp_path)
    probed = pd.read_csv(tmp_path / PROBES).query("layer == 'all'")
    steps = pd.read_csv(tmp_path / STEPS)
    assert probed["loss"].tolist() == pytest.approx(steps["loss"].tolist(), rel=1e-5)


def test_relative_steps_follow_the_schedule(spec, digits, tmp_path):
    probe = {"every": 1, "gradient": {"relative": [1.0]}, "update": {"absolute": [0.01]}}
    schedule = {"name": "cosine"}
    train(spec(optimizer=SGD, schedule=schedule, probe=probe), digits, tmp_path)
    table = pd.read_csv(tmp_path / PROBES).query("layer == 'all'").set_index("step")
    gradient, update = (table[table["line"] == line] for line in ("gradient", "update"))
    rates = gradient["length"] / gradient["gradient_norm"]
    cosine = [0.05 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert rates.tolist() == pytest.approx(cosine)
    # plain SGD's update divided by its rate is the gradient, whatever the rate is
    assert (update["length"] / update["gradient_norm"]).tolist() == pytest.approx([0.01] * 8, rel=1e-3)


def test_a_step_whose_learning_rate_is_zero_is_not_probed(spec, digits, monkeypatch):
    """Nothing is relative to it; an own schedule may begin there."""
    monkeypatch.setattr(Training, "lr", lambda self, step: 0.05 * min(step, 1))
    training = trained(spec(probe=PROBE | {"every": 2}, optimizer=SGD, epochs=1), digits)
    assert [found["step"] for found in training.probing.found] == [2]


def test_the_gradient_norm_of_each_layer_is_that_of_its_own_gradient(spec, digits, tmp_path):
    probe = {"every": 3, "gradient": {"absolute": [0.01]}}
    train(spec(optimizer=SGD, probe=probe, epochs=1), digits, tmp_path)
    training = Training(spec(optimizer=SGD, epochs=1), 0, store.load(digits), configure(DEVICE, "fp32", 1))
    training.batches.start_epoch(0)
    for _ in range(3):
        training.train_step()
    start = probes.point(training.model, training.loss, training.batches[3])
    groups = {"all": list(start.gradient), **probes.layers(training.model)}
    found = pd.read_csv(tmp_path / PROBES).query("step == 3").set_index("layer")["gradient_norm"]
    wanted = {
        name: sum(float(start.gradient[p].square().sum()) for p in own) ** 0.5 for name, own in groups.items()
    }
    assert found.to_dict() == pytest.approx(wanted, rel=1e-4) and len(set(found)) == len(groups)
