"""Why a job runs, in words."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers import results
from pj import config
from pj.config.spec import RunSpec
from pj.runs import fingerprint
from pj.workflow import derived, verify, why

RESULTS = Path("results")


@pytest.fixture
def known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(results.CONFIG)
    Path("claims.yaml").write_text(results.CLAIMS)
    loaded = config.load("config.yaml")
    return why.Known(loaded, loaded.runs(), RESULTS)


def the_run(known):
    """Return the first variant's run, its folder and the wildcards of its jobs."""
    spec = known.config.study("own").variants[0].spec
    return spec, RESULTS / "runs" / spec.run / "seed0", {"run": spec.run, "seed": "0"}


def write(known, **record):
    variant = known.config.study("own").variants[0]
    results.write_run(RESULTS / "runs", variant, 0, 80.0)
    path = the_run(known)[1] / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | record))


def note(code, parts):
    path = RESULTS / why.FOLDER / f"{code}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(parts))


def test_a_job_whose_output_is_missing_is_not_made_yet(known):
    reason = "Missing output files: a, b; Params have changed since last execution: x"
    assert why.words("tables", {"study": "own"}, reason, known) == "not made yet"


def test_only_what_was_forced_is_called_so(known, monkeypatch):
    settings = SimpleNamespace(forceall=False, forcetargets=False, forcerun=set())
    monkeypatch.setattr(why, "asked", lambda: settings)
    assert why.words("train", {}, "Forced execution", known) == "left incomplete"
    settings.forcerun = {"train"}
    assert why.words("train", {}, "Forced execution", known) == "forced"
    assert why.words("evaluate", {}, "Forced execution", known) == "left incomplete"


def test_a_table_that_was_dated_back_is_not_said_to_be_older_than_unchanged_files(known):
    reason = "Updated input files: results/runs/a/seed0/evaluation.json, results/.stamp"
    assert why.words("tables", {"study": "own"}, reason, known) == "Snakemake has lost its notes"
    derived.NOTES.mkdir(parents=True)
    (derived.NOTES / "a").touch()
    assert why.words("tables", {"study": "own"}, reason, known) == "made from other runs or files of runs"


def test_a_run_of_other_settings_says_which_changed_from_what_to_what(known):
    spec, _, wildcards = the_run(known)
    former = RunSpec.model_validate(spec.model_dump() | {"epochs": 7, "batch_size": 5})
    folder = RESULTS / "runs" / former.run / "seed0"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"spec": json.loads(former.json_text)}))
    table = RESULTS / "studies" / "own" / "runs.csv"
    table.parent.mkdir(parents=True)
    table.write_text(f"variant,run\nslow,{former.run}\n")
    said = why.words("train", wildcards, "Missing output files: a", known)
    assert said == "not made yet; own/slow: epochs: 7 → 2; own/slow: batch_size: 5 → 10"


def test_a_run_of_other_code_says_which_files_changed(known):
    spec, _, wildcards = the_run(known)
    now = fingerprint.parts(verify.code_of(spec))
    assert "pj/training/loop.py" in now and "pj/models/mlp.py" in now and "pj/models/lenet.py" not in now
    write(known, code="0123456789abcdef")
    updated = "Updated input files: results/data/digits.npz"  # pj has dated the run back
    said = why.words("train", wildcards, updated, known)
    assert said.startswith("other code (0123456789abcdef → ") and "not known" in said
    note("0123456789abcdef", now | {"pj/training/loop.py": "other", "pj/old.py": "gone"})
    assert why.words("train", wildcards, updated, known) == "other code: pj/old.py, pj/training/loop.py"


def test_a_run_on_other_data_says_so(known):
    spec, _, wildcards = the_run(known)
    write(known, code=verify.code_of(spec), data_sha256="aaaaaaaaaa")
    (RESULTS / "data").mkdir()
    (RESULTS / "data" / "digits.json").write_text(json.dumps({"sha256": "bbbbbbbbbb"}))
    said = why.words("train", wildcards, "Updated input files: results/data/digits.npz", known)
    assert said == "the data digits are others: aaaaaaaa → bbbbbbbb"


def test_an_evaluation_of_weights_that_were_trained_again_says_so(known):
    _, folder, wildcards = the_run(known)
    write(known, checkpoint_sha256="new")
    path = folder / "evaluation.json"
    made = {"checkpoint_sha256": "old"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"made": made}))
    said = why.words("evaluate", wildcards, "Updated input files: x", known)
    assert said == "the run was trained again"


def test_changed_parameters_are_settings_by_name_and_files_of_code(known):
    note("a" * 16, {"pj/x.py": "1", "pj/y.py": "1"})
    note("b" * 16, {"pj/x.py": "2", "pj/y.py": "1"})

    def params(code, lr):
        variants = [{"name": "slow", "lr": lr}, {"name": "fast", "title": 'It\'s "fast" now: yes'}]
        return f"{code * 16!r},{json.dumps({'title': 'T', 'variants': variants})!r}"

    start = f"{why.PARAMS}Union of exclusive params before and now across all output: "
    reason = f"{start}before: {params('a', 0.1)} now: {params('b', 0.2)} "
    assert (
        why.words("tables", {"study": "own"}, reason, known)
        == "variants.slow.lr: 0.1 → 0.2; other code: pj/x.py"
    )
    only_code = f"{start}before: {'a' * 16!r} now: {'b' * 16!r} "
    assert why.words("page", {}, only_code, known) == "other code: pj/x.py"


def test_of_many_changes_the_first_are_named_and_the_rest_counted():
    before, now = ({"k": {str(i): value for i in range(5)}} for value in (0, 1))
    assert list(why.differences(before, now)) == ["k.0: 0 → 1", "k.1: 0 → 1", "k.2: 0 → 1", "2 more settings"]
    assert list(why.differences({"a": 1}, {"b": [1]})) == ["a: 1 → none", "b: none → [1]"]


def test_new_inputs_are_named_and_those_of_other_jobs_are_not(known):
    reason = "Updated input files: own.npz; Input files updated by another job: a, b"
    assert (
        why.words("prepare_data", {"dataset": "own"}, reason, known)
        == "newer: own.npz; made from files of the jobs above"
    )


def test_the_modules_of_all_fingerprints_are_noted_once(known):
    code = verify.code_of(the_run(known)[0])
    why.note_code(RESULTS)
    path = RESULTS / why.FOLDER / f"{code}.json"
    assert json.loads(path.read_text()) == fingerprint.parts(code)
    before = path.stat().st_mtime_ns
    why.note_code(RESULTS)
    assert path.stat().st_mtime_ns == before
