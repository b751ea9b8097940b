import copy
import errno
import importlib.metadata
import io
import json
import logging
import math
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from packaging.version import Version

from helpers.runs import DEVICE, SAM, assert_equal_runs, content, killed_after, train
from pj import files
from pj.config.spec import RunSpec
from pj.data import store
from pj.data.batches import Split
from pj.data.store import DataError
from pj.errors import UserError
from pj.runs.records import RecordError, read_metrics, read_run
from pj.training import build, compiler, loop
from pj.training.accuracy import loss_and_accuracy, predict
from pj.training.device import Conditions, DeviceError, configure, cpu_computes_bf16
from pj.training.progress import Progress
from pj.training.schedule import factor
from pj.training.state import ResumeStates, RunningElsewhereError

LAMBDAS = {"conv": 0.001, "linear": 0.0001}  # so small that units are selected within the first steps
DESSILBI = {"name": "dessilbi", "lr": 0.05, "nu": 5.0, "momentum": 0.9, "lambdas": LAMBDAS}
ADAMW = {"name": "adamw", "lr": 0.01, "weight_decay": 0.1}
FINAL = {
    "data": {"name": "digits", "train": 200, "validation": 60, "test": 100, "crop": 2, "cutmix": {}},
    "model": {"name": "wide_resnet", "depth": 10, "widen_factor": 1, "width": 0.5},
    "loss": {"name": "kl_div"},
    "optimizer": SAM,
    "schedule": {"name": "cosine"},
    "precision": "bf16",
}
MLP = {"model": {"name": "mlp", "width": 0.1}, "select": "best_validation"}

needs_compiler = pytest.mark.skipif(
    bool(lacks := compiler.lacking(cuda=DEVICE != "cpu")), reason=f"not here: {lacks}"
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": ADAMW, **MLP},
        {"optimizer": SAM},
        {"optimizer": DESSILBI},
        {"optimizer": DESSILBI | {"inner": "adam", "lr": 0.01, "momentum": 0.0}, "select": "best_validation"},
        {"optimizer": {"name": "rmsprop", "lr": 0.001}, "schedule": {"name": "cosine"}},
        {"optimizer": ADAMW, "schedule": {"name": "step", "every": 1}, "precision": "bf16"},
        FINAL,
    ],
    ids=[
        "sgd",
        "mlp-best-validation",
        "sam",
        "dessilbi",
        "dessilbi-adam",
        "rmsprop-cosine",
        "adamw-step-bf16",
        "final-recipe",
    ],
)
def test_a_run_killed_four_times_resumes_bit_for_bit(changes, spec, digits, tmp_path, monkeypatch):
    run = spec(**changes)
    train(run, digits, tmp_path / "whole")
    for steps in (1, 2, 1, 2):  # an epoch has four: at its beginning, middle and end, and after it
        killed_after(steps, monkeypatch, run, digits, tmp_path / "cut", tmp_path / "resume", save_every=0)
    train(run, digits, tmp_path / "cut", resume=tmp_path / "resume")
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")
    assert read_run(tmp_path / "cut")["resumed_at_steps"] == [1, 3, 4, 6]
    assert not (tmp_path / "resume").exists()


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
        training = loop.Training(spec(**MLP), seed, store.load(digits), configure("cpu", "fp32", 1))
        for epoch in range(2):
            training.batches.start_epoch(epoch)
            while training.step < training.batches.steps:
                training.train_step()
            training.end_epoch()
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
        training.batches.start_epoch(epoch)
        while training.step < training.batches.steps:
            training.train_step()
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_saves_at_the_next_step_and_exits_with_128_more(number, spec, digits, tmp_path):
    run = spec(epochs=100_000)
    script = (
        "import sys; from pathlib import Path\n"
        "from pj.config.spec import RunSpec; from pj.training.loop import train\n"
        "spec, data, out = sys.argv[1:]\n"
        "train(RunSpec.from_json(spec), 0, Path(data), Path(out), resume=Path(out) / 'resume',"
        " progress=Path(out) / 'progress.json')"
    )
    command = [sys.executable, "-c", script, run.json_text, str(digits), str(tmp_path)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not (tmp_path / "progress.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=30) == 128 + number
    states = list((tmp_path / "resume").glob("*.pt"))
    assert len(states) == 1
    assert not (tmp_path / "run.json").exists()


@pytest.fixture
def handlers():
    """The stop signals' handlers before the test, which are there again after it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_that_come_together_end_a_run_after_its_step_and_a_later_one_ends_it_at_once(
    handlers, monkeypatch
):
    class Ended(BaseException):
        pass

    def ended(status):
        raise Ended(status)

    now = [1000.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(loop.os, "_exit", ended)
    with loop._stop_signals() as received:
        for seconds, number in ((0, signal.SIGTERM), (0, signal.SIGHUP), (4, signal.SIGTERM)):
            now[0] += seconds
            signal.raise_signal(number)
        assert received == [signal.SIGTERM, signal.SIGHUP, signal.SIGTERM]
        now[0] += 2  # six seconds after the first
        with pytest.raises(Ended) as end:
            signal.raise_signal(signal.SIGINT)
        assert end.value.args == (128 + signal.SIGINT,)
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_the_seconds_of_a_run_are_those_of_its_steps_and_measurements(spec, digits, tmp_path, monkeypatch):
    """By a clock that goes on a second each time it is read: once a step and once an epoch's end."""
    clock = iter(range(1000))
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    train(spec(**MLP), digits, tmp_path)
    assert [row["seconds"] for row in read_metrics(tmp_path)] == [4 + 1, 2 * (4 + 1)]
    assert read_run(tmp_path)["seconds"] == 2 * (4 + 1)


def test_the_seconds_and_the_replayed_steps_of_earlier_sessions_count(spec, digits):
    first, second = (
        loop.Training(spec(**MLP), 0, store.load(digits), configure("cpu", "fp32", 1)) for _ in range(2)
    )
    first.seconds, first.replayed_steps = 7.5, 3
    second.load_state_dict(first.state_dict())
    assert (second.seconds, second.replayed_steps) == (7.5, 3)


def test_a_state_names_the_conditions_of_all_sessions_so_far(spec, digits):
    training = loop.Training(spec(**MLP), 0, store.load(digits), configure("cpu", "fp32", 1))
    now = training.conditions.describe()
    before = [now | {"threads": 7}, now | {"device": "another"}]
    for known in ([], [now], before, [*before, now]):
        training.conditions_before = known
        saved = []
        loop._save(training, SimpleNamespace(save=lambda _, state, to=saved: to.append(state)), needed=True)
        assert saved[0]["conditions_before"] == [*[c for c in known if c != now], now]


def test_a_run_in_pieces_of_max_seconds_is_the_run_in_one(spec, digits, tmp_path):
    """Each piece does at least a step, saves it, and asks by its exit status to be called again."""
    run = spec(**FINAL)
    train(run, digits, tmp_path / "whole")
    for _ in range(8):  # two epochs of four steps
        with pytest.raises(SystemExit) as stopped:
            train(run, digits, tmp_path / "cut", resume=tmp_path / "r", max_seconds=1e-6)
        assert stopped.value.code == loop.OUT_OF_TIME == 75
    assert train(run, digits, tmp_path / "cut", resume=tmp_path / "r", max_seconds=1e-6) == "complete"
    assert read_run(tmp_path / "cut")["resumed_at_steps"] == list(range(1, 9))
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def test_a_run_that_fits_into_max_seconds_ends_as_ever(spec, digits, tmp_path):
    assert train(spec(), digits, tmp_path, resume=tmp_path / "r", max_seconds=600) == "complete"


def test_max_seconds_without_a_place_for_states_would_lose_the_work(spec, digits, tmp_path):
    with pytest.raises(ValueError, match="folder for resume states"):
        train(spec(), digits, tmp_path, max_seconds=5)


@pytest.mark.long
@needs_compiler
def test_a_compiled_run_is_the_same_training_and_resumes_bit_for_bit(spec, digits, tmp_path, monkeypatch):
    plain, compiled = (spec(**FINAL, batch_size=100, compile=on) for on in (False, True))
    train(plain, digits, tmp_path / "plain")
    train(compiled, digits, tmp_path / "whole")
    rows = [read_metrics(tmp_path / name)[-1] for name in ("plain", "whole")]
    assert rows[1]["train_loss"] == pytest.approx(rows[0]["train_loss"], rel=1e-2)
    killed_after(3, monkeypatch, compiled, digits, tmp_path / "cut", tmp_path / "r", save_every=0)
    torch.compiler.reset()  # a new process compiles anew
    train(compiled, digits, tmp_path / "cut", resume=tmp_path / "r")
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.long
@needs_compiler
def test_a_compiled_maximum_has_the_gradient_of_an_eager_one_in_bf16():
    """A value that is not rounded to bf16, as the maximum is, is not found among its equals: NaN."""
    if DEVICE == "cpu" and Version(torch.__version__) < Version("2.13"):
        pytest.skip("torch has no such rounding on a CPU before 2.13")

    class Maximum(torch.nn.Module):
        def forward(self, x):
            return (x * 1.01).relu().amax(dim=(2, 3))

    draw = torch.Generator().manual_seed(0)
    images = torch.randn(4, 5, 8, 8, generator=draw).to(DEVICE, torch.bfloat16)
    found = []
    for maximum in (Maximum(), build.compiled(Maximum())):
        x = images.clone().requires_grad_()
        maximum(x).float().square().sum().backward()
        found.append(x.grad)
    assert torch.equal(*found)


def test_compiling_without_a_compiler_is_one_message_that_says_what_to_do(
    spec, digits, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler .*compile: false"):
        train(spec(compile=True), digits, tmp_path / "run")


IDENTITY = {"spec": "{}", "seed": 0, "data": "d", "code": "c", "precision": "fp32"}


@pytest.mark.parametrize("part", ["spec", "seed", "data", "code", "precision"])
def test_a_resume_state_of_another_run_is_refused_by_name(part, tmp_path, caplog):
    ResumeStates(tmp_path, IDENTITY | {part: "another"}).save(5, {"x": 1})
    with caplog.at_level(logging.WARNING):
        assert ResumeStates(tmp_path, IDENTITY).newest() is None
    assert f"of another {part} and is not used" in caplog.text


def test_a_damaged_resume_state_gives_way_to_its_predecessor(tmp_path, caplog):
    states = ResumeStates(tmp_path, IDENTITY)
    for steps in (5, 6, 7):
        states.save(steps, {"x": steps})
    newest = max(tmp_path.glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    assert states.newest() == {"x": 6}
    assert "damaged" in caplog.text


def test_states_of_another_run_neither_crowd_out_ones_own_nor_are_deleted(tmp_path):
    other = ResumeStates(tmp_path, IDENTITY | {"seed": 1})
    other.save(49, {"x": "other"})
    own = ResumeStates(tmp_path, IDENTITY)
    assert own.newest() is None
    for steps in (5, 6, 7):
        own.save(steps, {"x": steps})
    assert ResumeStates(tmp_path, IDENTITY).newest() == {"x": 7}
    assert ResumeStates(tmp_path, IDENTITY | {"seed": 1}).newest() == {"x": "other"}
    assert len(list(tmp_path.glob("*.pt"))) == 3


def test_a_run_resumed_under_other_conditions_says_so(spec, digits, tmp_path, monkeypatch, caplog):
    run, resume = spec(), tmp_path / "resume"
    killed_after(3, monkeypatch, run, digits, tmp_path / "run", resume, save_every=0, threads=1)
    train(run, digits, tmp_path / "run", resume=resume, threads=2)
    record = read_run(tmp_path / "run")
    assert record["threads"] == 2
    assert [c["threads"] for c in record["other_conditions"]] == [1]
    assert "begun under other conditions" in caplog.text


def test_a_finished_run_whose_folder_was_deleted_is_written_again_at_once(
    spec, digits, tmp_path, monkeypatch
):
    """As when Snakemake dies while a run finishes, and deletes its files at the next call."""
    for name, changes in (
        ("complete", {}),
        ("diverged", {"optimizer": {"name": "sgd", "lr": 1e30}, "model": {"name": "vgg_a", "width": 0.1}}),
    ):
        folder, resume = tmp_path / name, tmp_path / f"{name}-resume"
        assert train(spec(**changes), digits, folder, resume=resume, keep=True) == name
        shutil.copytree(folder, tmp_path / f"{name}-before")
        shutil.rmtree(folder)
        with monkeypatch.context() as patch:
            patch.setattr(loop.Training, "train_step", None)  # not one step is taken
            assert train(spec(**changes), digits, folder, resume=resume) == name
        assert_equal_runs(folder, tmp_path / f"{name}-before")
        assert not resume.exists()


def test_the_lock_is_free_again_after_use(tmp_path):
    states = ResumeStates(tmp_path, {})
    for _ in range(2):
        with states.held():
            pass


def test_only_one_predecessor_is_kept(tmp_path):
    states = ResumeStates(tmp_path, IDENTITY)
    for steps in range(5):
        states.save(steps, {})
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_a_state_of_another_session_gives_way_to_later_ones_too(tmp_path):
    for steps in (8, 9, 10, 11):
        states = ResumeStates(tmp_path, IDENTITY)
        states.newest()
        states.save(steps, {"x": steps})
        assert ResumeStates(tmp_path, IDENTITY).newest() == {"x": steps}
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_a_state_that_is_written_again_counts_once(tmp_path):
    states = ResumeStates(tmp_path, IDENTITY)
    for steps in (5, 6, 6):
        states.save(steps, {"x": steps})
    assert len(list(tmp_path.glob("*.pt"))) == 2 and states.newest() == {"x": 6}


def test_a_checkpoint_has_the_same_bytes_whether_states_were_saved_before_it_or_not(tmp_path):
    def written():
        torch.save({"x": torch.ones(3)}, file := io.BytesIO())
        return file.getvalue()

    before = written()
    ResumeStates(tmp_path, IDENTITY).save(5, {"x": 1})
    assert written() == before


def test_a_refused_state_means_a_fresh_start_and_a_right_result(spec, digits, tmp_path, monkeypatch):
    run, resume = spec(), tmp_path / "resume"
    killed_after(3, monkeypatch, run, digits, tmp_path / "a", resume, save_every=0, code="old")
    train(run, digits, tmp_path / "a", resume=resume, code="new")
    train(run, digits, tmp_path / "b")
    assert_equal_runs(tmp_path / "a", tmp_path / "b")
    assert read_run(tmp_path / "a")["resumed_at_steps"] == []


def test_a_run_in_training_elsewhere_is_not_trained_twice(spec, digits, tmp_path):
    with (
        ResumeStates(tmp_path / "resume", {}).held(),
        pytest.raises(RunningElsewhereError, match="another process"),
    ):
        progress = tmp_path / "progress.json"
        progress.write_text("{}")  # of that process
        train(spec(), digits, tmp_path / "run", resume=tmp_path / "resume", progress=progress)
    assert progress.exists()


def test_a_file_system_without_locks_is_one_message(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("pj.training.state.FileLock.acquire", refused)
    with (
        pytest.raises(
            UserError, match=r"lock cannot be locked \(No locks available\), so that two processes"
        ),
        ResumeStates(tmp_path, {}).held(),
    ):
        pass


def test_a_half_written_run_folder_is_refused_by_its_readers(spec, digits, tmp_path):
    with pytest.raises(RecordError, match="has not finished"):
        read_run(tmp_path)
    train(spec(epochs=1), digits, tmp_path)
    whole = (tmp_path / "run.json").read_text()
    (tmp_path / "run.json").write_text(whole[:50])
    with pytest.raises(RecordError, match="cannot be read"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(json.loads(whole) | {"state": "training"}))
    with pytest.raises(RecordError, match="state 'training'"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text(whole)
    (tmp_path / "checkpoint.pt").write_bytes(b"half")
    with pytest.raises(RecordError, match="is not the checkpoint that"):
        read_run(tmp_path)


def test_the_record_says_what_the_result_was_made_with(spec, digits, tmp_path):
    run = spec(epochs=1)
    train(run, digits, tmp_path, seed=3, code="abc", threads=2)
    record = read_run(tmp_path)
    assert RunSpec.model_validate(record["spec"]) == run
    assert (record["seed"], record["code"], record["threads"], record["precision"]) == (3, "abc", 2, "fp32")
    assert record["data_sha256"] == store.load(digits).sha256
    assert record["images"] == {"train": 200, "validation": 60, "test": 100}
    assert record["provenance"]["torch"] == importlib.metadata.version("torch")


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


def test_asking_for_a_missing_gpu_names_what_is_allowed():
    with pytest.raises(DeviceError, match="allowed here: auto, cpu"):
        configure("cuda:99", "fp32", 1)


@pytest.mark.parametrize(("asked", "index"), [("cuda", 0), ("auto", 0), ("cuda:1", 1)])
def test_a_gpu_has_its_index_as_its_tensors_have(asked, index, monkeypatch):
    for name, value in {"is_available": True, "device_count": 2, "set_device": None}.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *_, **__: None)
    for flags, name in (
        (torch.backends.cudnn, "deterministic"),
        (torch.backends.cudnn, "allow_tf32"),
        (torch.utils.deterministic, "fill_uninitialized_memory"),
    ):
        monkeypatch.setattr(flags, name, getattr(flags, name))  # is put back
    products = SimpleNamespace(allow_tf32=True)  # as with TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1
    monkeypatch.setattr(torch.backends.cuda, "matmul", products)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    assert configure(asked, "fp32", torch.get_num_threads()).device == torch.device("cuda", index)
    assert not products.allow_tf32 and not torch.backends.cudnn.allow_tf32


def test_nothing_computes_in_emulated_bf16(monkeypatch):
    monkeypatch.setattr("pj.training.device.cpu_computes_bf16", lambda: False)
    assert configure("cpu", "auto", 1).precision == "fp32"
    with pytest.raises(
        DeviceError, match=r"'bf16': this cpu device only emulates it, .* allowed here: auto, fp32"
    ):
        configure("cpu", "bf16", 1)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is set in glibc only")
def test_on_a_cpu_a_tensor_takes_the_memory_of_one_freed_before():
    configure("cpu", "fp32", 1)
    size = 64 * 2**20  # by default the system gives each one as large new pages, and zeros them
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        torch.empty(size, dtype=torch.uint8).fill_(1)
    pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert pages < 20 * size / resource.getpagesize()


def test_threads_and_precision_are_what_was_asked_for():
    before = torch.get_num_threads()
    if cpu_computes_bf16():
        assert configure("cpu", "bf16", 1).precision == "bf16"
    assert configure("cpu", "fp32", 1).precision == "fp32"
    assert torch.get_num_threads() == 1
    configure("cpu", "fp32", before)
    assert torch.get_num_threads() == before


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


NARROW = """
import sys, torch
from pj.config.spec import RunSpec
from pj.data import store
from pj.training.device import configure
from pj.training.run import Training

run = RunSpec.from_json(sys.argv[1])
training = Training(run, 0, store.load(sys.argv[2]), configure("cpu", "fp32", 1))
training.batches.start_epoch(0)
for _ in range(4):
    training.train_step()
print(*training.step_losses.tolist())
"""


def test_a_narrow_network_trains_on_a_processor_with_avx2_alone(spec, digits):
    """OneDNN's gradient of a 1x1 convolution with a stride and few channels crashes there (issue 6035)."""
    run = spec(model={"name": "wide_resnet", "depth": 10, "widen_factor": 1, "width": 0.05})
    found = []
    for limits in ({}, {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}):
        command = [sys.executable, "-c", NARROW, run.json_text, str(digits)]
        done = subprocess.run(
            command, env=os.environ | limits, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append([float(loss) for loss in done.stdout.split()])
    assert found[1] == pytest.approx(found[0], rel=1e-4) and len(found[0]) == 4


def test_equal_weights_have_equal_files_in_folders_of_any_name(spec, digits, tmp_path):
    sums = set()
    for name in ("ascii", "Prüfung 研究"):
        train(spec(epochs=1), digits, tmp_path / name)
        sums.add(read_run(tmp_path / name)["checkpoint_sha256"])
    assert len(sums) == 1


def test_images_that_do_not_fit_a_network_are_one_message(spec, arrays, tmp_path):
    store.save(store.checked(arrays, 3, "small"), tmp_path / "small.npz")
    run = spec(data={"name": "small"}, model={"name": "vgg_a"}, batch_size=4)
    with pytest.raises(UserError, match="8 pixels are too few"):
        train(run, tmp_path / "small.npz", tmp_path / "run")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_run_on_the_gpu_resumes_bit_for_bit(spec, digits, tmp_path, monkeypatch):
    run = spec(precision="bf16")
    train(run, digits, tmp_path / "whole", device="cuda")
    killed_after(3, monkeypatch, run, digits, tmp_path / "cut", tmp_path / "r", save_every=0, device="cuda")
    train(run, digits, tmp_path / "cut", resume=tmp_path / "r", device="cuda")
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def test_progress_is_one_small_file_that_goes_when_the_run_is_complete(spec, digits, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("pj.training.progress.WRITE_EVERY", 0)
    original = loop.Training.end_epoch

    def end_epoch(self):
        seen.append(json.loads((tmp_path / "progress.json").read_text()))
        original(self)

    monkeypatch.setattr(loop.Training, "end_epoch", end_epoch)
    train(spec(), digits, tmp_path / "run", progress=tmp_path / "progress.json")
    assert [(p["epoch"], p["step"], p["steps"], p["epochs"]) for p in seen] == [(0, 4, 4, 2), (1, 4, 4, 2)]
    assert seen[0]["pid"] == os.getpid()
    assert not (tmp_path / "progress.json").exists()


def test_progress_is_written_without_waiting_for_the_disk_and_a_record_is_not(spec, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", synced.append)
    progress = Progress(tmp_path / "progress.json", spec(), 0)
    progress.step(0, 1, 10, 0.5)
    assert json.loads((tmp_path / "progress.json").read_text())["step"] == 1 and not synced
    files.write_json(tmp_path / "run.json", {})
    assert len(synced) == 2  # the file and its folder
