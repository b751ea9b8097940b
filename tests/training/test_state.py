"""Resume states."""

import errno
import io
import logging

import pytest
import torch

from helpers.runs import assert_equal_runs, killed_after, train
from pj.errors import UserError
from pj.runs.records import read_run
from pj.training.state import ResumeStates, RunningElsewhereError

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
