"""What a training computes."""

import copy
import json
import math

import pytest
import torch

from helpers.runs import MLP, SAM, assert_equal_runs, content, take_epoch, train, trained
from pj.data import store
from pj.data.batches import Split
from pj.data.store import DataError
from pj.errors import UserError
from pj.runs.records import read_metrics, read_run
from pj.training import loop
from pj.training.accuracy import loss_and_accuracy, predict
from pj.training.device import Conditions, configure
from pj.training.schedule import factor


def test_equal_seeds_give_equal_runs_and_others_do_not(spec, digits, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(spec(), digits, tmp_path / name, seed=seed)
    assert_equal_runs(tmp_path / "a", tmp_path / "b")
    a, c = (content(tmp_path / name)[0]["weights"] for name in "ac")
    assert not any(torch.equal(a[k], c[k]) for k in a if k.endswith("0.0.weight"))


def test_variants_of_a_seed_start_from_the_same_weights_and_see_the_same_batches(spec, digits):
    dataset, conditions = store.load(digits), configure("cpu", "fp32", 1)
    pair = [
        loop.Training(spec(model={"name": "mlp", "width": 0.1, **changes}), 0, dataset, conditions)
        for changes in ({"dropout": 0.0}, {"batch_norm": False})
    ]
    first = [t.model.layers[1].weight for t in pair]
    assert torch.equal(*first)
    for t in pair:
        t.batches.start_epoch(0)
    assert torch.equal(pair[0].batches[1][0], pair[1].batches[1][0])


def test_another_seed_starts_from_other_weights(spec, digits):
    dataset, conditions = store.load(digits), configure("cpu", "fp32", 1)
    first, again, other = (
        loop.Training(spec(**MLP), seed, dataset, conditions).model.layers[1].weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.isclose(first, other).all(dim=1).any()


def test_dropout_is_a_function_of_the_step_and_not_of_what_ran_before(spec, digits):
    dataset, conditions = store.load(digits), configure("cpu", "fp32", 1)
    losses = []
    for noise in (0, 17):
        training = loop.Training(spec(**MLP), 0, dataset, conditions)
        training.batches.start_epoch(0)
        torch.rand(noise)
        training.train_step()
        losses.append(training.step_losses[0].item())
    assert losses[0] == losses[1]


def test_each_step_of_each_epoch_and_seed_draws_its_own_dropout(spec, digits, monkeypatch):
    seeds = []
    monkeypatch.setattr("pj.training.run.seed_draws", seeds.append)
    for seed in (0, 1):
        trained(spec(**MLP), digits, seed)
    assert len(set(seeds)) == len(seeds) == 2 * 2 * 4


def test_it_learns(spec, digits, tmp_path):
    run = spec(
        **MLP | {"model": {"name": "mlp", "width": 0.25}},
        data={"name": "digits", "train": 1000, "validation": 200},
        optimizer={"name": "adamw", "lr": 0.003},
        epochs=8,
    )
    train(run, digits, tmp_path)
    assert read_metrics(tmp_path)[-1]["test_accuracy"] > 80


def test_the_checkpoint_is_of_the_earliest_best_validation_epoch(spec, digits, tmp_path):
    run = spec(**MLP, epochs=6, optimizer={"name": "sgd", "lr": 0.5})
    train(run, digits, tmp_path)
    accuracies = [row["validation_accuracy"] for row in read_metrics(tmp_path)]
    checkpoint = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert checkpoint["epoch"] == 1 + accuracies.index(max(accuracies))
    assert checkpoint["selected_by"] == "best_validation"


def test_the_selected_weights_stay_those_of_the_best_epoch_while_training_goes_on(spec, digits):
    training = loop.Training(spec(**MLP), 0, store.load(digits), configure("cpu", "fp32", 1))
    for epoch in range(2):
        take_epoch(training, epoch)
        training.end_epoch()
        if epoch == 0:
            best = copy.deepcopy(training.model.state_dict())
            training.best["accuracy"] = 101.0  # no later epoch is better
    found = training.selected()
    assert found["epoch"] == 1 and found["weights"].keys() == best.keys()
    assert all(torch.equal(found["weights"][name], value) for name, value in best.items())
    assert not torch.equal(best["layers.1.weight"], training.model.layers[1].weight)


def test_a_diverged_run_is_a_result_that_names_its_step(spec, digits, tmp_path):
    run = spec(optimizer={"name": "sgd", "lr": 1e30}, model={"name": "vgg_a", "width": 0.1}, epochs=5)
    assert train(run, digits, tmp_path) == "diverged"
    record = read_run(tmp_path)
    assert record["state"] == "diverged"
    assert 1 < record["diverged_at_step"] <= 4  # the loss of step 1 is that of the initial weights
    assert len(read_metrics(tmp_path)) == record["epochs"] == 1


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_weights_that_overflow_in_the_last_step_are_a_divergence_too(
    value, spec, digits, tmp_path, monkeypatch
):
    original = loop.Training.train_step

    def step(self):
        original(self)
        if self.steps_done == 4:
            next(self.model.parameters()).data[0] = float(value)  # the other weights stay finite

    monkeypatch.setattr(loop.Training, "train_step", step)
    assert train(spec(epochs=1), digits, tmp_path) == "diverged"
    assert read_run(tmp_path)["diverged_at_step"] == 4


def test_the_step_of_a_divergence_is_the_first_one_counted_from_the_beginning_of_the_run(spec, digits):
    training = loop.Training(spec(**MLP), 0, store.load(digits), configure("cpu", "fp32", 1))
    training.epoch = 2  # of four steps each
    losses = torch.tensor([1.0, math.inf, math.nan, 1.0])
    assert training._divergence(losses) == 2 * 4 + 2
    next(training.model.parameters()).data[0] = math.nan
    assert training._divergence(losses.nan_to_num(posinf=0.0)) == 3 * 4


def test_parameters_of_no_elements_and_of_integers_are_finite(spec, digits):
    training = loop.Training(spec(), 0, store.load(digits), configure("cpu", "fp32", 1))
    for name, values in (("empty", torch.empty(0)), ("table", torch.arange(3))):
        training.model.register_parameter(name, torch.nn.Parameter(values, requires_grad=False))
    assert training._divergence(torch.zeros(1)) is None


def test_training_never_sees_the_test_set(spec, digits, tmp_path):
    """Other test images change the test columns of metrics.csv and nothing else."""
    dataset = store.load(digits)
    arrays = {key: getattr(dataset, key) for key in store.ARRAYS}
    arrays |= {"x_test": 255 - dataset.x_test, "y_test": (dataset.y_test + 1) % 10}
    other = store.checked(arrays, 10, "other")
    store.save(other, tmp_path / "other.npz")
    run = spec(**MLP)
    train(run, digits, tmp_path / "a")
    train(run, tmp_path / "other.npz", tmp_path / "b")
    a, b = (content(tmp_path / name) for name in "ab")
    assert all(torch.equal(a[0]["weights"][k], v) for k, v in b[0]["weights"].items())
    assert a[1][0]["test_accuracy"] != b[1][0]["test_accuracy"]


def test_the_logged_training_loss_is_the_mean_over_the_epochs_images(spec, digits, tmp_path):
    """With a tiny learning rate and no augmentation it is the loss of the initial weights on all images."""
    data = {"name": "digits", "train": 200, "test": 100}
    run = spec(data=data, optimizer={"name": "sgd", "lr": 1e-30}, model={"name": "vgg_a", "width": 0.1})
    train(run, digits, tmp_path)
    rows = read_metrics(tmp_path)
    training = loop.Training(run, 0, store.load(digits), Conditions(torch.device("cpu"), "fp32", 1))
    logits = predict(training.model, training.splits["train"], training.normalise, training.conditions)
    measured = loss_and_accuracy(logits, training.splits["train"], training.loss)
    for row in rows:
        assert row["train_loss"] == pytest.approx(measured["loss"], rel=1e-5)
        assert row["train_accuracy"] == pytest.approx(measured["accuracy"])
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("optimizer", "a_step"),
    [({"name": "sgd"}, 1), ({"name": "sam", "rho": 0.1}, 2), ({"name": "dessilbi"}, 1)],
)
def test_evaluations_of_the_gradient_are_counted_and_probes_are_not(
    optimizer, a_step, spec, digits, tmp_path
):
    probe = {"every": 1, "gradient": {"absolute": [0.1]}} if optimizer["name"] == "sgd" else None
    model = {"name": "lenet", "width": 0.3}
    loop.train(spec(optimizer=optimizer | {"lr": 0.01}, model=model, probe=probe), 0, digits, tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["gradients"] == 2 * 4 * a_step


def test_the_seconds_and_the_replayed_steps_of_earlier_sessions_count(spec, digits):
    first, second = (
        loop.Training(spec(**MLP), 0, store.load(digits), configure("cpu", "fp32", 1)) for _ in range(2)
    )
    first.seconds, first.replayed_steps = 7.5, 3
    second.load_state_dict(first.state_dict())
    assert (second.seconds, second.replayed_steps) == (7.5, 3)


def test_a_last_batch_of_one_trains_with_batch_norm(spec, digits, tmp_path):
    data = {"name": "digits", "train": 65, "test": 100}
    assert train(spec(data=data, model=MLP["model"]), digits, tmp_path) == "complete"
    assert read_run(tmp_path)["steps_per_epoch"] == 1


def test_a_module_that_a_network_keeps_in_eval_mode_stays_there_when_it_is_measured(spec, digits):
    training = loop.Training(spec(), 0, store.load(digits), configure("cpu", "fp32", 1))
    modules = list(training.model.modules())
    modules[-1].eval()
    predict(training.model, training.splits["test"], training.normalise, training.conditions)
    assert [module.training for module in modules] == [True] * (len(modules) - 1) + [False]


@pytest.mark.parametrize(("precision", "computed"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_prediction_is_computed_in_the_runs_precision_and_kept_in_fp32(precision, computed):
    model, found = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3)), []
    model.register_forward_hook(lambda module, inputs, output: found.append(output.dtype))
    split = Split(torch.arange(8, dtype=torch.uint8).view(2, 2, 2, 1), torch.tensor([0, 1]))
    conditions = Conditions(torch.device("cpu"), precision, 1)
    logits = predict(model, split, lambda images: images.permute(0, 3, 1, 2).float(), conditions)
    assert found == [computed] and logits.dtype == torch.float32


def test_an_accuracy_is_the_share_of_right_predictions_without_rounding():
    split = Split(torch.empty(3, 1), torch.tensor([0, 1, 1]))
    measured = loss_and_accuracy(torch.eye(2)[[0, 1, 0]], split, torch.nn.functional.cross_entropy)
    assert measured["accuracy"] == pytest.approx(200 / 3, rel=1e-15)  # of fp32: 66.6666687
    wrong, right = math.log1p(math.e), math.log1p(math.exp(-1))
    assert measured["loss"] == pytest.approx((2 * right + wrong) / 3, rel=1e-6)


def test_a_batch_larger_than_the_data_ends_before_training(spec, digits, tmp_path):
    data = {"name": "digits"}
    with pytest.raises(DataError, match="batch_size 2000 is larger than the 1437"):
        train(spec(data=data, batch_size=2000), digits, tmp_path)


def test_schedules_are_constant_stepped_or_a_cosine_to_zero(spec):
    def at(progress, **schedule):
        return factor(spec(schedule=schedule, epochs=10).schedule, progress, 10)

    assert at(7.3, name="constant") == 1
    assert [at(p, name="step", every=4, gamma=0.1) for p in (0, 3.99, 4, 8)] == pytest.approx(
        [1, 1, 0.1, 0.01]
    )
    assert [at(p, name="cosine") for p in (0, 5, 10)] == pytest.approx([1, 0.5, 0])


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ({"name": "constant"}, [1, 1, 1, 1]),
        ({"name": "step", "every": 2, "gamma": 0.1}, [1, 1, 0.1, 0.1]),
        # the rate of an epoch's last step: 3/4, 7/4, 11/4 and 15/4 of four epochs done
        ({"name": "cosine"}, [0.5 * (1 + math.cos(math.pi * p / 16)) for p in (3, 7, 11, 15)]),
    ],
)
def test_a_run_follows_its_schedule(schedule, wanted, spec, digits, tmp_path):
    train(spec(schedule=schedule, epochs=4), digits, tmp_path)
    rates = [row["lr"] / 0.05 for row in read_metrics(tmp_path)]
    assert rates == pytest.approx(wanted)


def test_batch_norm_moves_once_a_step_in_a_run_with_sam(spec, digits):
    training = loop.Training(spec(optimizer=SAM), 0, store.load(digits), configure("cpu", "fp32", 1))
    training.batches.start_epoch(0)
    for _ in range(3):
        training.train_step()
    counts = {int(v) for k, v in training.model.state_dict().items() if k.endswith("num_batches_tracked")}
    assert counts == {3}


def test_a_run_is_the_plain_loop_with_its_specifications_options(spec, digits):
    """Loss options, momentum, weight decay and the batches all reach the weights."""
    run = spec(
        model={"name": "vgg_a", "width": 0.1},
        loss={"name": "cross_entropy", "label_smoothing": 0.2},
        optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.7, "weight_decay": 0.05},
    )
    training = loop.Training(run, 0, store.load(digits), configure("cpu", "fp32", 1))
    model = copy.deepcopy(training.model)
    plain = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.7, weight_decay=0.05)
    training.batches.start_epoch(0)
    for step in range(4):
        images, labels = training.batches[step]
        plain.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels, label_smoothing=0.2).backward()
        plain.step()
        training.train_step()
    for ours, theirs in zip(training.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_images_that_do_not_fit_a_network_are_one_message(spec, arrays, tmp_path):
    store.save(store.checked(arrays, 3, "small"), tmp_path / "small.npz")
    run = spec(data={"name": "small"}, model={"name": "vgg_a"}, batch_size=4)
    with pytest.raises(UserError, match="8 pixels are too few"):
        train(run, tmp_path / "small.npz", tmp_path / "run")
