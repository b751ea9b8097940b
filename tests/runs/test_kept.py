"""What is kept of a finished run until its evaluation has used it."""

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pj.files import sha256
from pj.runs import kept, records
from pj.training.state import ResumeStates

IDENTITY = {"spec": {"epochs": 1}, "seed": 3, "code": "abc"}


def finished(folder, weights=b"weights", **changes):
    folder.mkdir(parents=True)
    (folder / records.CHECKPOINT).write_bytes(weights)
    (folder / records.METRICS).write_text("epoch\n1\n")
    record = IDENTITY | {"state": "complete", "checkpoint_sha256": sha256(folder / records.CHECKPOINT)}
    (folder / records.RUN).write_text(json.dumps(record | changes))
    return folder


def test_a_finished_run_takes_no_second_space_and_replaces_its_resume_states(tmp_path):
    folder, resume = finished(tmp_path / "run"), tmp_path / "resume"
    resume.mkdir()
    (resume / "000000005-abc.pt").write_text("state")
    kept.keep(folder, resume)
    assert [p.name for p in resume.iterdir()] == ["finished"]
    assert (resume / "finished" / records.CHECKPOINT).samefile(folder / records.CHECKPOINT)


def test_a_deleted_run_comes_back_and_that_of_other_code_does_not(tmp_path):
    folder, resume = finished(tmp_path / "run"), tmp_path / "resume"
    kept.keep(folder, resume)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    assert kept.restore(resume, folder, IDENTITY | {"code": "other"}) is None
    assert not list(folder.iterdir())
    assert kept.restore(resume, folder, IDENTITY) == "complete"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_run_that_comes_back_records_the_files_that_hold_its_data_today(tmp_path):
    folder, resume = finished(tmp_path / "run"), tmp_path / "resume"
    kept.keep(folder, resume)
    made_from = {"source": {"source": "npz", "path": "moved.npz"}, "content": "now"}
    assert kept.restore(resume, folder, IDENTITY, made_from) == "complete"
    record = records.read_run(folder)
    assert record[records.MADE_FROM] == made_from and record["state"] == "complete"


def test_a_kept_run_that_is_damaged_is_not_taken(tmp_path):
    folder, resume = finished(tmp_path / "run"), tmp_path / "resume"
    kept.keep(folder, resume)
    (folder / records.CHECKPOINT).unlink()
    (resume / "finished" / records.CHECKPOINT).write_bytes(b"half")
    assert kept.restore(resume, folder, IDENTITY) is None


def test_an_evaluation_is_taken_once_by_the_same_code_of_the_same_weights(tmp_path):
    folder, resume, output = finished(tmp_path / "run"), tmp_path / "resume", tmp_path / "evaluation.json"
    kept.keep(folder, resume)
    kept.evaluation(resume, "now").write_text("{}")
    assert not kept.take_evaluation(resume, "edited", folder, output)
    assert not kept.take_evaluation(resume, "now", finished(tmp_path / "other", b"other weights"), output)
    assert not output.exists()
    assert kept.take_evaluation(resume, "now", folder, output)
    assert output.read_text() == "{}" and not kept.evaluation(resume, "now").exists()


@pytest.mark.parametrize(
    ("spec", "lost"),
    [({"epochs": 1}, records.METRICS), ({"epochs": 1, "probe": {"every": 1}}, records.PROBES)],
)
def test_a_run_that_was_killed_while_it_was_kept_is_not_taken(tmp_path, spec, lost):
    folder, resume = finished(tmp_path / "run", spec=spec), tmp_path / "resume"
    for name in (records.STEPS, records.PROBES, records.SHIFTS):
        (folder / name).write_text("a")
    kept.keep(folder, resume)
    assert kept.restore(resume, folder, {"spec": spec}) == "complete"
    (resume / "finished" / lost).unlink()
    assert kept.restore(resume, folder, {"spec": spec}) is None


def test_seeds_of_one_run_that_begin_and_end_at_the_same_moment_do_not_fail_each_other(tmp_path):
    def begin_and_end(seed: int) -> None:
        for _ in range(300):
            with ResumeStates(folder := tmp_path / "run" / f"seed{seed}", {}).held():
                kept.remove(folder)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(begin_and_end, range(3)))
    assert not (tmp_path / "run").exists()


def test_where_there_are_no_hard_links_a_run_is_kept_as_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    folder, resume = finished(tmp_path / "run"), tmp_path / "resume"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    kept.keep(folder, resume)
    for path in folder.iterdir():
        path.unlink()
    assert kept.restore(resume, folder, IDENTITY) == "complete"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("at", [records.CHECKPOINT, records.METRICS, records.RUN])
def test_a_run_has_no_record_while_it_is_put_back_over_another(at, tmp_path, monkeypatch):
    """The record says that the other files are whole, so it goes first and comes last."""
    folder, resume = finished(tmp_path / "run"), tmp_path / "resume"
    kept.keep(folder, resume)
    link = kept.link

    def killed(source, target):
        if target.name == at:
            raise KeyboardInterrupt
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(kept, "link", killed)
        with pytest.raises(KeyboardInterrupt):
            kept.restore(resume, folder, IDENTITY)
    assert not (folder / records.RUN).exists()
    assert kept.restore(resume, folder, IDENTITY) == "complete"


def measured(folder, code):
    path = folder / records.measured_name("r", 0)
    records.write_json(path, {"state": "complete", "made": {"run": "r", "seed": 0, "code": code}})
    return path


def test_what_is_put_back_is_newer_than_what_it_was_made_from(tmp_path):
    """Or Snakemake would make it again."""
    folder, resume = finished(tmp_path / "run"), tmp_path / "resume"
    kept.keep(folder, resume)
    kept.evaluation(resume, "now").write_text("{}")
    left = measured(tmp_path, "now")
    for path in (*folder.iterdir(), kept.evaluation(resume, "now"), left):
        os.utime(path, (1, 1))
    assert kept.restore(resume, folder, IDENTITY) == "complete"
    outputs = tmp_path / "evaluation.json", tmp_path / "output.json"
    assert kept.take_evaluation(resume, "now", folder, outputs[0])
    assert kept.take_measurement(left, {"code": "now"}, outputs[1])
    for path in (*folder.iterdir(), *outputs):
        assert path.stat().st_mtime > 1, path


def test_a_measurement_that_was_made_otherwise_is_deleted(tmp_path):
    output = tmp_path / "output.json"
    left = measured(tmp_path, "before")
    assert not kept.take_measurement(left, {"run": "r", "code": "now"}, output)
    assert not left.exists() and not output.exists()
    before = measured(tmp_path, "now").read_bytes()
    assert kept.take_measurement(left, {"run": "r", "code": "now"}, output)
    assert output.read_bytes() == before and not left.exists()


def test_a_forgotten_run_is_trained_again_and_its_resume_states_stay(tmp_path):
    folder, resume = finished(tmp_path / "run"), tmp_path / "resume"
    kept.keep(folder, resume)
    kept.evaluation(resume, "now").write_text("{}")
    (resume / "000000005-abc.pt").write_text("state")
    assert kept.state(resume) == "complete"
    kept.forget(resume)
    assert [path.name for path in resume.iterdir()] == ["000000005-abc.pt"]
    assert kept.state(resume) is None and kept.restore(resume, folder, IDENTITY) is None
