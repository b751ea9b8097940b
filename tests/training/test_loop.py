"""How a training runs: stopped, continued, and what it writes."""

import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

from helpers.runs import FINAL, MLP, SAM, assert_equal_runs, killed_after, train
from pj import files
from pj.config.spec import RunSpec
from pj.data import store
from pj.runs.records import RecordError, read_metrics, read_run
from pj.training import loop
from pj.training.device import configure
from pj.training.progress import Progress

LAMBDAS = {"conv": 0.001, "linear": 0.0001}  # so small that units are selected within the first steps
DESSILBI = {"name": "dessilbi", "lr": 0.05, "nu": 5.0, "momentum": 0.9, "lambdas": LAMBDAS}
ADAMW = {"name": "adamw", "lr": 0.01, "weight_decay": 0.1}


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


def test_equal_weights_have_equal_files_in_folders_of_any_name(spec, digits, tmp_path):
    sums = set()
    for name in ("ascii", "Prüfung 研究"):
        train(spec(epochs=1), digits, tmp_path / name)
        sums.add(read_run(tmp_path / name)["checkpoint_sha256"])
    assert len(sums) == 1


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
