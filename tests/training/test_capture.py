"""Which steps are replayed, on which images; that they have the same bits is tested on a GPU (test_cuda)."""

import logging

import pytest
import torch

from helpers.runs import OPTIONS, assert_equal_runs, killed_after, read_metrics, train
from pj.data import store
from pj.optim import create
from pj.training import rates
from pj.training.capture import EAGER, Captured, Step, _capturable
from pj.training.device import configure
from pj.training.replay import obstacle
from pj.training.run import Training


class Graph:
    """Stands for a CUDA graph: a replay calls the update with the captured tensors, and adds 1000."""

    def __init__(self, update, images, labels):
        self.update, self.images, self.labels, self.loss = update, images, labels, torch.zeros(())

    def replay(self):
        self.loss.copy_(self.update(self.images, self.labels) + 1000)


class Replays(Captured):
    """Captures without a GPU."""

    def _capture(self, update, images, labels):
        graph = Graph(update, images, labels)
        return Step(graph, images, labels, graph.loss)


@pytest.fixture
def captured():
    """Steps of batches of two, which return the sum of images and labels."""
    return Replays(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1), batch_size=2)


def call(captured, value, count=2):
    images, labels = torch.full((count,), float(value)), torch.full((count,), 10.0 * value)
    total = captured(lambda images, labels: (images + labels).sum(), images, labels).item()
    assert captured.replayed == (total >= 1000)
    return total


def test_steps_are_replayed_on_their_own_images_and_labels_after_the_first_ones(captured):
    assert [call(captured, value) for value in range(EAGER + 2)] == [
        *(22 * value for value in range(EAGER)),
        1000 + 22 * EAGER,
        1000 + 22 * (EAGER + 1),
    ]


def test_a_smaller_batch_is_computed_eagerly_and_replays_go_on_after_it(captured):
    for _ in range(EAGER + 1):
        call(captured, 1)
    assert [call(captured, 1, count=1), call(captured, 1)] == [11, 1022]


def test_a_changed_learning_rate_is_captured_anew(captured):
    for _ in range(EAGER + 1):
        call(captured, 1)
    captured.optimizer.param_groups[0]["lr"] = 0.2
    assert [call(captured, 1) for _ in range(EAGER + 1)] == [22] * EAGER + [1022]


def test_a_learning_rate_that_the_graph_reads_may_change_in_every_step(captured):
    captured.optimizer.param_groups[0]["lr"] = torch.tensor(0.1)
    results = []
    for step in range(EAGER + 3):
        rates.set_to(captured.optimizer, 0.1 + step, [1.0])
        results.append(call(captured, 1))
    assert results == [22] * EAGER + [1022] * 3


def test_a_rate_keeps_its_tensor_when_it_is_set_and_is_a_number_on_a_cpu():
    optimizer = create("sam", [torch.zeros(1, requires_grad=True)], lr=0.1)
    (group,) = optimizer.param_groups
    group["lr"] = tensor = torch.tensor(0.1)
    rates.set_to(optimizer, 0.5, [1.0])
    assert group["lr"] is tensor and tensor == 0.5
    assert rates.numbers(optimizer) == []
    rates.place(optimizer, torch.device("cpu"))
    assert rates.numbers(optimizer) == [0.5]
    assert optimizer.base.param_groups[0]["lr"] == 0.5


def on_the_device(optimizer, device):
    """What `rates.place` does on a GPU."""
    for group in optimizer.param_groups:
        if group.get("fused"):
            group["lr"] = torch.tensor(float(group["lr"]), device=device)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "sam", "rmsprop"])
def test_with_rates_on_the_device_a_run_resumes_exactly_and_its_metrics_name_the_schedules_rate(
    optimizer, spec, digits, tmp_path, monkeypatch
):
    run = spec(optimizer={"name": optimizer, **OPTIONS[optimizer]}, schedule={"name": "cosine"})
    train(run, digits, tmp_path / "numbers")
    steps_of_an_epoch = 4
    with monkeypatch.context() as patch:
        patch.setattr(rates, "place", on_the_device)
        train(run, digits, tmp_path / "whole")
        for steps, name in ((3, "cut"), (steps_of_an_epoch, "moved")):
            folder, states = tmp_path / name, tmp_path / f"{name} states"
            killed_after(steps, monkeypatch, run, digits, folder, states, save_every=0)
        train(run, digits, tmp_path / "cut", resume=tmp_path / "cut states")
    train(run, digits, tmp_path / "moved", resume=tmp_path / "moved states")  # on a CPU
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")
    wanted = [row["lr"] for row in read_metrics(tmp_path / "numbers")]
    for folder in ("whole", "cut", "moved"):
        assert [row["lr"] for row in read_metrics(tmp_path / folder)] == wanted


def test_an_optimizer_of_ones_own_keeps_its_rate_as_a_number(spec, digits, monkeypatch):
    monkeypatch.setattr(rates, "place", on_the_device)
    own = {"class": "torch.optim:Adam", "options": {"lr": 0.01, "fused": True}}
    training = Training(spec(optimizer=own), 0, store.load(digits), configure("cpu", "fp32", 1))
    assert isinstance(training.optimizer.param_groups[0]["lr"], float)


def test_a_restored_training_is_captured_anew(spec, digits, captured):
    """Its optimizer's state is in other tensors than those of the graph."""
    training = Training(spec(), 0, store.load(digits), configure("cpu", "fp32", 1))
    captured.step = object()
    training.captured = captured
    training.load_state_dict(training.state_dict())
    assert captured.step is None


def test_the_log_says_that_a_rate_which_changes_in_every_step_is_not_captured(captured, caplog):
    caplog.set_level(logging.INFO)
    for step in range(2 * EAGER):
        captured.optimizer.param_groups[0]["lr"] = 0.1 + step
        assert call(captured, 1) == 22
    assert caplog.text.count("while the learning rate changes") == 1


def test_the_log_says_that_a_rate_which_changes_before_each_capture_is_not_captured(captured, caplog):
    caplog.set_level(logging.INFO)
    for step in range(4 * EAGER):
        captured.optimizer.param_groups[0]["lr"] = 0.1 + step // EAGER
        assert call(captured, 1) == 22
    assert caplog.text.count("while the learning rate changes") == 1


def test_what_may_keep_values_outside_of_the_device_is_not_captured(spec):
    dessilbi = {"name": "dessilbi", "lr": 0.1}
    assert obstacle(spec()) is None
    assert obstacle(spec(optimizer=dessilbi)) is None
    assert "counts its steps" in obstacle(spec(optimizer=dessilbi | {"inner": "adam"}))
    assert "torchvision" in obstacle(spec(model={"name": "torchvision", "arch": "resnet18"}))
    cosine = {"name": "cosine"}
    for name in ("rmsprop", "dessilbi"):
        assert "changes in every step" in obstacle(spec(optimizer={"name": name, "lr": 0.1}, schedule=cosine))
    assert obstacle(spec(schedule=cosine)) is None
    own = {"class": "torch.optim:NAdam", "options": {"lr": 0.01}}
    assert "its own optimizer" in obstacle(spec(optimizer=own))


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_torchs_optimizers_are_told_of_a_capture_only_while_it_lasts(name):
    weight = torch.ones(2, requires_grad=True)
    optimizer = create(name, [weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    (group,) = optimizer.param_groups
    with pytest.raises(RuntimeError, match="in a capture"), _capturable(optimizer):
        assert group.get("capturable", True)
        raise RuntimeError("in a capture")
    assert not group.get("capturable", False)
