"""Faults while training: full or odd places, and states that cannot be used, lose nothing and are named."""

import errno
import hashlib
import logging
from collections import deque

import pytest
import torch

from helpers.runs import assert_equal_runs, killed_after, train
from pj.errors import UserError, told
from pj.training.run import Training
from pj.training.state import ResumeStates

IDENTITY = {"spec": "{}", "seed": 0, "data": "d", "code": "c", "precision": "fp32"}


def full(self, *_):
    raise OSError(errno.ENOSPC, "No space left on device")


def torch_says_full(self, *_):
    raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")


@pytest.mark.parametrize("error", [full, torch_says_full])
def test_a_healthy_run_goes_on_when_the_disk_is_too_full_for_a_resume_state(
    error, spec, digits, tmp_path, monkeypatch, caplog
):
    train(spec(), digits, tmp_path / "whole")
    monkeypatch.setattr(ResumeStates, "save", error)
    with caplog.at_level(logging.WARNING):
        state = train(spec(), digits, tmp_path / "full", resume=tmp_path / "r", save_every=0)
    assert state == "complete" and "training continues without" in caplog.text and "MB free" in caplog.text
    assert_equal_runs(tmp_path / "whole", tmp_path / "full")


def test_a_run_that_has_to_end_and_cannot_save_says_so_in_one_message(spec, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(ResumeStates, "save", full)
    with pytest.raises(UserError, match=r"no resume state can be written to .*MB free.*No space left"):
        train(spec(), digits, tmp_path / "run", resume=tmp_path / "r", max_seconds=1e-6)


def test_torchs_own_error_of_a_full_gpu_is_told_in_one_message():
    assert "CUDA out of memory" in told(torch.OutOfMemoryError("CUDA out of memory"))
    assert "out of memory" in told(torch.AcceleratorError("CUDA error: out of memory\nhints"))
    for library in ("CUBLAS", "CUDNN"):
        assert "fewer jobs" in told(RuntimeError(f"CUDA error: {library}_STATUS_ALLOC_FAILED when"))
    assert told(torch.AcceleratorError("an illegal memory access")) is None
    assert told(RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED")) is None


def raising(error):
    def fail(*_):
        raise error("CUDA error: out of memory\nmore lines")

    return fail


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, torch.AcceleratorError])
@pytest.mark.parametrize("where", ["train_step", "state_dict", "load_state_dict"])
def test_a_fault_of_a_gpu_costs_no_state_and_is_not_called_a_full_disk_or_a_bad_state(
    where, error, spec, digits, tmp_path, monkeypatch
):
    run, resume = spec(), tmp_path / "r"
    killed_after(3, monkeypatch, run, digits, tmp_path / "cut", resume, save_every=0)
    before = sorted(resume.glob("[0-9]*.pt"))
    with monkeypatch.context() as patch:
        patch.setattr(Training, where, raising(error))
        with pytest.raises(error):
            train(run, digits, tmp_path / "cut", resume=resume, save_every=0)
    assert before and set(before) <= set(resume.glob("[0-9]*.pt"))
    assert train(run, digits, tmp_path / "cut", resume=resume) == "complete"


def test_a_progress_file_that_cannot_be_written_ends_nothing(spec, digits, tmp_path, monkeypatch, caplog):
    (tmp_path / "progress").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        state = train(spec(), digits, tmp_path / "run", progress=tmp_path / "progress" / "run.json")
    assert state == "complete"
    assert caplog.text.count("`pj watch` will not show this run") == 1


def other_content(folder):
    """Write a state whose name has the right sum, and whose content is none."""
    torch.save({"anything": 1}, folder / "x.pt")
    digest = hashlib.sha256((folder / "x.pt").read_bytes()).hexdigest()
    (folder / "x.pt").rename(folder / f"000000099-{digest}.pt")


@pytest.mark.parametrize("odd", [other_content, lambda folder: (folder / f"000000099-{'0' * 64}.pt").mkdir()])
def test_a_state_that_is_none_gives_way_to_its_predecessor(odd, tmp_path, caplog):
    ResumeStates(tmp_path, IDENTITY).save(5, {"x": 5})
    odd(tmp_path)
    assert ResumeStates(tmp_path, IDENTITY).newest() == {"x": 5}
    assert "is not used" in caplog.text


def test_a_state_that_cannot_be_loaded_is_refused_when_it_is_written_and_a_whole_one_is_never_deleted(
    spec, digits, tmp_path, monkeypatch
):
    state = Training.state_dict
    monkeypatch.setattr(Training, "state_dict", lambda self: state(self) | {"more": deque()})
    with pytest.raises(UserError, match=r"holds collections\.deque; allowed in a state: tensors, Python's"):
        train(spec(), digits, tmp_path / "run", resume=tmp_path / "r", save_every=0)
    assert not list((tmp_path / "r").glob("*.pt"))
    torch.save({"identity": IDENTITY, "state": {"more": deque()}}, tmp_path / "x.pt")
    whole = tmp_path / f"000000009-{hashlib.sha256((tmp_path / 'x.pt').read_bytes()).hexdigest()}.pt"
    (tmp_path / "x.pt").rename(whole)
    assert ResumeStates(tmp_path, IDENTITY).newest() is None and whole.is_file()


def test_a_state_that_does_not_fit_is_deleted_and_the_next_call_takes_the_one_before(
    spec, digits, tmp_path, monkeypatch
):
    run, resume = spec(), tmp_path / "r"
    train(run, digits, tmp_path / "whole")
    killed_after(3, monkeypatch, run, digits, tmp_path / "cut", resume, save_every=0)
    newest = max(resume.glob("[0-9]*.pt"))
    content = torch.load(newest, weights_only=True)
    content["state"] = {"something": "else"}
    states = ResumeStates(resume, content["identity"])
    states.save(99, content["state"])
    with pytest.raises(UserError, match=r"does not fit its run .*it was deleted: run again"):
        train(run, digits, tmp_path / "cut", resume=resume)
    assert train(run, digits, tmp_path / "cut", resume=resume) == "complete"
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")
