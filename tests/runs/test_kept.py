"""What is kept of a finished run until its evaluation has used it."""

import json
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
