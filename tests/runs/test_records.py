"""Records: one that was edited, damaged or copied to a wrong place is refused by name, never shown."""

import json
import random
import shutil

import pytest

from pj.runs import records
from pj.runs.evaluation import evaluate
from pj.runs.records import RecordError
from pj.training import loop


@pytest.fixture(scope="module")
def finished(digits, tmp_path_factory):
    """Two seeds of a run, with their evaluations."""
    from pj.config.spec import RunSpec

    spec = RunSpec.model_validate(
        {
            "data": {"name": "digits", "train": 200, "validation": 60, "test": 100},
            "model": {"name": "mlp", "width": 0.02},
            "loss": {"name": "cross_entropy"},
            "optimizer": {"name": "sgd", "lr": 0.05},
            "epochs": 2,
            "batch_size": 64,
            "precision": "fp32",
        }
    )
    runs = tmp_path_factory.mktemp("results") / "runs"
    for seed in (0, 1):
        folder = runs / spec.run / f"seed{seed}"
        loop.train(spec, seed, digits, folder)
        evaluate(folder, digits, folder / records.EVALUATION)
    return runs / spec.run


@pytest.fixture
def run(finished, tmp_path):
    """A copy of them, to damage."""
    return shutil.copytree(finished, tmp_path / "runs" / finished.name)


def read(folder):
    return records.read_run(folder), records.evaluation(folder), records.read_metrics(folder)


def test_what_was_written_is_read(run):
    found, evaluated, metrics = read(run / "seed0")
    assert (found["seed"], evaluated["seed"], len(metrics)) == (0, 0, 2)


@pytest.mark.parametrize("name", [records.RUN, records.EVALUATION, records.METRICS])
def test_a_changed_digit_is_refused_by_name(name, run):
    path = run / "seed0" / name
    text = path.read_text()
    place = next(
        i
        for i in range(text.index("accuracy") if "accuracy" in text else 0, len(text))
        if text[i] in "12345678"
    )
    path.write_text(text[:place] + "9" + text[place + 1 :])
    with pytest.raises(RecordError, match=name):
        read(run / "seed0")


@pytest.mark.parametrize("name", [records.RUN, records.EVALUATION, records.METRICS])
def test_whatever_byte_is_flipped_the_content_is_refused_or_the_same(name, run):
    path, draw = run / "seed0" / name, random.Random(0)
    content, before = path.read_bytes(), read(run / "seed0")
    for _ in range(100):
        place = draw.randrange(len(content))
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]
        )
        try:
            assert read(run / "seed0") == before
        except RecordError as error:
            assert str(run) in str(error)


@pytest.mark.parametrize("change", [lambda path: path.write_text("epoch\n1\n"), lambda path: path.unlink()])
def test_an_evaluation_is_refused_without_the_learning_curve_that_it_is_of(change, run):
    change(run / "seed0" / records.METRICS)
    with pytest.raises(RecordError, match=rf"{records.METRICS} is not the file that"):
        records.evaluation(run / "seed0")


def test_a_folder_in_another_seeds_or_another_runs_place_is_refused(run):
    shutil.rmtree(run / "seed1")
    shutil.copytree(run / "seed0", run / "seed1")
    with pytest.raises(RecordError, match=r"seed1 holds .*, seed 0: it was copied to a wrong place"):
        records.read_run(run / "seed1")
    with pytest.raises(RecordError, match="seed1 holds"):
        records.evaluation(run / "seed1")
    other = run.rename(run.with_name("digits-mlp-00000000"))
    with pytest.raises(RecordError, match=rf"digits-mlp-00000000/seed0 holds {run.name}, seed 0"):
        records.state(other / "seed0")


def test_a_record_of_an_older_pj_without_sums_is_read(run):
    path = run / "seed0" / records.RUN
    content = json.loads(path.read_text())
    del content[records.SUM], content["files"]
    path.write_text(json.dumps(content))
    assert records.read_run(run / "seed0")["state"] == "complete" and records.read_metrics(run / "seed0")


def test_what_an_analysis_measured_is_refused_once_it_was_edited_damaged_or_copied(run):
    path = run.parent / f"{run.name}-seed0.json"
    made = {"run": run.name, "seed": 0, "code": "0123"}
    records.write_json(path, {"state": "complete", "made": made, "accuracy": 51.25})
    assert records.measured(path)["accuracy"] == 51.25
    content, before, draw = path.read_bytes(), records.measured(path), random.Random(0)
    path.write_bytes(content.replace(b"51.25", b"91.25"))
    with pytest.raises(RecordError, match=r"seed0\.json was changed after it was written"):
        records.measured(path)
    for _ in range(100):
        place = draw.randrange(len(content))
        flipped = bytes([content[place] ^ 1 << draw.randrange(8)])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
        try:
            assert records.measured(path) == before
        except RecordError as error:
            assert str(path) in str(error)
    path.write_bytes(content)
    copied = path.rename(path.with_name(f"{run.name}-seed1.json"))
    with pytest.raises(RecordError, match="seed 0: it was copied; delete it there"):
        records.measured(copied)


def test_a_run_of_another_version_of_pj_is_refused_by_name(tmp_path):
    folder = tmp_path / "digits-mlp-01234567" / "seed0"
    folder.mkdir(parents=True)
    content = {"state": "complete", "seed": 0, "spec": {"of": "another version"}}
    (folder / records.RUN).write_text(json.dumps(content))
    with pytest.raises(RecordError, match="was written by another version of pj"):
        records.read_run(folder)
