"""Kills at any step, several times, of every kind of run; damaged states; and what a state must hold."""

import copy
import random
import shutil

import pytest
import torch

from helpers.runs import (
    DATA,
    DEVICE,
    ERASED,
    JITTERED,
    OPTIONS,
    POLICY,
    PROBE,
    RECIPE,
    assert_equal_runs,
    killed_after,
    train,
)
from pj.data import store
from pj.optim import names
from pj.runs.records import read_run
from pj.training import loop
from pj.training.device import configure
from pj.training.run import Training
from pj.training.state import ResumeStates

STEPS = 4  # of an epoch; a run has two
SMALL = {
    "model": {"name": "mlp", "width": 0.02, "batch_norm": True, "dropout": 0.5},
    "select": "best_validation",
}
RUNS = {name: SMALL | {"optimizer": {"name": name, **options}} for name, options in OPTIONS.items()}
RUNS |= {
    "cutmix": RUNS["sgd"] | {"data": DATA | {"cutmix": {"alpha": 1.0}}},
    "mixup": RUNS["sgd"] | {"data": DATA | {"mixup": {"alpha": 0.4}}},
    "augmented": RUNS["sgd"] | {"data": DATA | ERASED | JITTERED | POLICY},
    "probes": RUNS["sgd"] | {"probe": PROBE},
    "recipe": SMALL | RECIPE,
    "diverging": RUNS["sgd"] | {"loss": {"name": "mse"}, "optimizer": {"name": "sgd", "lr": 1e12}},
}


def test_every_optimizer_is_killed():
    assert set(OPTIONS) == set(names())


@pytest.mark.parametrize("name", RUNS)
def test_a_run_killed_at_every_place_in_an_epoch_three_times_ends_in_the_same_bits(
    name, spec, digits, tmp_path, monkeypatch
):
    """Before the first step, after it, in the middle, around an epoch's end, at the last step, after it."""
    run, total = spec(**RUNS[name]), 2 * STEPS
    state = train(run, digits, tmp_path / "whole")
    assert state == ("diverged" if name == "diverging" else "complete")
    if state == "diverged":
        total = STEPS  # it ends after its epoch
    for i, places in enumerate(([0, 0, 1], [2, STEPS - 1], [STEPS - 1], [total - 1], [total])):
        folder, resume = tmp_path / f"cut{i}", tmp_path / f"resume{i}"
        done = []
        for place in sorted(places):
            steps = place - max(done, default=0)
            if place < total:
                killed_after(steps, monkeypatch, run, digits, folder, resume, save_every=0)
                done.append(place)
            else:
                killed_while_writing(monkeypatch, run, digits, folder, resume)
        train(run, digits, folder, resume=resume)
        assert_same(tmp_path / "whole", folder)


def killed_while_writing(monkeypatch, run, digits, folder, resume):
    """Kill a run after its last step, before its record is there."""

    class Killed(BaseException):
        pass

    def write(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_write", write)
        with pytest.raises(Killed):
            train(run, digits, folder, resume=resume, save_every=0)


# Times, and what only says how a run was made: it may differ between runs of the same bits.
ACCOUNTS = {"seconds", "resumed_at", "conditions_before"}


def fields(state, path=()):
    """Return the paths of all fields of a state, one per tensor, number or list."""
    if isinstance(state, dict) and state:
        return [found for key, value in state.items() for found in fields(value, (*path, key))]
    return [path]


def leave_out(state, path, fresh):
    """Set one field of a state to what it is in a run that has not begun; delete it if it is not there."""
    for key in path[:-1]:
        state, fresh = state[key], fresh.get(key) if isinstance(fresh, dict) else None
    if isinstance(fresh, dict) and path[-1] in fresh:
        state[path[-1]] = fresh[path[-1]]
    else:
        del state[path[-1]]


@pytest.fixture
def begun(spec, digits, tmp_path, monkeypatch):
    """Return what trains a run of a kind, whole and killed in its second epoch: run and newest state."""

    def make(name):
        run = spec(**RUNS[name])
        train(run, digits, tmp_path / "whole")
        killed_after(STEPS + 2, monkeypatch, run, digits, tmp_path / "cut", tmp_path / "resume", save_every=0)
        newest = max((tmp_path / "resume").glob("[0-9]*.pt"))
        return run, torch.load(newest, weights_only=True)

    return make


# Its first epoch is the best one, since nothing changes: `best` is needed up to the end.
RUNS["still"] = {**SMALL, "model": {"name": "mlp", "width": 0.02}, "optimizer": {"name": "sgd", "lr": 1e-12}}
RUNS["ema"] = {**SMALL, "optimizer": {"name": "sgd", "lr": 0.05}, "ema": {"decay": 0.9}}
PARTS = {"still": "best", "ema": "averaged"}  # the only part left out of these


@pytest.mark.parametrize("name", ["sgd", "adam", "dessilbi", "sam", "probes", "ema", "still"])
def test_a_state_without_any_one_of_its_fields_is_refused_or_gives_another_run(
    name, begun, spec, digits, tmp_path, caplog
):
    """So each of them is needed, and a field that the state lacked would be noticed by the tests above."""
    run, newest = begun(name)
    fresh = Training(run, 0, store.load(digits), configure(DEVICE, "fp32", 1)).state_dict()
    unnoticed, tried = [], 0
    for i, path in enumerate(fields(newest["state"])):
        if path[0] in ACCOUNTS or (path[0] != PARTS[name] if name in PARTS else path[0] == "best"):
            continue
        state = copy.deepcopy(newest["state"])
        leave_out(state, path, fresh)
        if equal(state, newest["state"]):
            continue  # nothing has happened to it yet
        tried += 1
        resume, folder = tmp_path / f"resume{i}", tmp_path / f"run{i}"
        ResumeStates(resume, newest["identity"]).save(STEPS + 2, state)
        try:
            train(run, digits, folder, resume=resume)
            assert_same(tmp_path / "whole", folder)
        except Exception:  # whatever a state without it makes of the run
            continue
        unnoticed.append(path)
    assert unnoticed == [] and tried >= 4


def assert_same(a, b):
    """Assert that two runs have the same bits, counts and probes."""
    assert_equal_runs(a, b)
    assert read_run(a)["gradients"] == read_run(b)["gradients"]
    for file in ("steps.csv", "probes.csv", "shifts.csv"):
        if (a / file).is_file():
            assert (a / file).read_bytes() == (b / file).read_bytes()


def equal(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and bool((a == b).all())
    return type(a) is type(b) and repr(a) == repr(b)


@pytest.mark.parametrize("both", [False, True])
def test_a_state_that_is_cut_or_flipped_anywhere_gives_way_to_its_predecessor_or_a_new_start(
    both, begun, spec, digits, tmp_path
):
    run, _ = begun("sgd")
    states, draw = sorted((tmp_path / "resume").glob("[0-9]*.pt")), random.Random(0)
    assert len(states) == 2
    for i in range(6):
        resume, folder = tmp_path / f"resume{i}", tmp_path / f"run{i}"
        shutil.copytree(tmp_path / "resume", resume)
        for path in states if both else states[-1:]:
            data = bytearray(path.read_bytes())
            place = draw.randrange(len(data))
            if i % 2:
                data[place] ^= 1 << draw.randrange(8)
            else:
                del data[place:]
            (resume / path.name).write_bytes(data)
        train(run, digits, folder, resume=resume)
        assert_same(tmp_path / "whole", folder)
        assert read_run(folder)["resumed_at_steps"] == ([] if both else [STEPS + 1])
