"""Which finished work is kept aside before its jobs run, and which the user forced."""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from helpers.project import OWN
from pj.config import loading
from pj.errors import UserError
from pj.runs import kept, places
from pj.workflow import again, dates, derived, outputs, running
from pj.workflow.again import Job


def asked(**changes):
    """Return what Snakemake was asked for, as its ``dag_settings``."""
    nothing = {"forceall": False, "forcetargets": False, "until": set(), "omit_from": set(), "batch": None}
    return SimpleNamespace(**nothing | {"targets": set(), "forcerun": set()} | changes)


RECORD = "results/runs/a/seed0/run.json"


@pytest.mark.parametrize(
    ("settings", "forced"),
    [
        ({}, False),
        ({"forcerun": {"tables"}}, False),  # the run itself was left incomplete, which Snakemake calls forced
        ({"forcerun": {"train"}}, True),
        ({"forcerun": {RECORD}}, True),
        ({"forcerun": {f"./{RECORD}"}}, True),
        ({"until": {"train"}, "forcetargets": True}, True),
        ({"forceall": True}, True),
        ({"targets": {RECORD}}, False),
        ({"targets": {RECORD}, "forcetargets": True}, True),
        ({"targets": {"results/report.md"}, "forcetargets": True}, False),
    ],
)
def test_a_run_is_forced_only_if_it_was_asked_for(settings, forced):
    assert again.forced("train", [RECORD], asked(**settings)) == forced


def test_a_users_rule_whose_name_begins_like_that_of_a_training_is_none():
    runs = [Job("training_time", {}, False), Job("train_probed", {"run": "a", "seed": "0"}, False)]
    assert again.trained(runs) == [("a", "0")]
    again.keep(runs[:1], SimpleNamespace(runs=dict), Path("results"))


def test_a_measurement_that_was_left_aside_is_forgotten_if_it_is_forced(tmp_path):
    left = kept.aside(tmp_path / "prunings" / "p" / "a-seed0.json", tmp_path)
    left.parent.mkdir(parents=True)
    left.touch()
    wildcards = {"analysis": "prunings", "name": "p", "run": "a", "seed": "0"}
    again.keep([Job("measure", wildcards, True)], SimpleNamespace(runs=dict), tmp_path)
    assert not left.exists()


@pytest.mark.parametrize("part", ["targets", "until", "omit_from", "batch"])
def test_a_part_of_the_workflow_is_not_announced_as_the_whole(part):
    assert outputs.whole(asked()) and not outputs.whole(asked(**{part: {"figures"}}))


@pytest.mark.parametrize("text", ["", "{}", "[1"])
def test_a_damaged_scorecard_fails_no_workflow_that_went_well(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/report.html").touch()
    Path("results/claims.json").write_text(text)
    assert outputs.closing_lines() == ["Open results/report.html"]


def test_a_run_whose_process_holds_its_lock_is_in_training_however_long_it_writes_nothing(tmp_path):
    progress = places.progress(tmp_path, "a", "0")
    progress.parent.mkdir(parents=True)
    progress.write_text(json.dumps({"host": "elsewhere", "pid": 7, "time": time.time() - 3600}))
    running.check([("a", "0")], tmp_path)
    lock = tmp_path / ".resume" / "a-code" / "seed0" / "lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(UserError, match="a seed 0: process 7 on elsewhere"):
        running.check([("a", "0")], tmp_path)


def test_results_of_another_user_are_one_message(tmp_path, monkeypatch):
    stamp, data = tmp_path / "stamp", tmp_path / "data.npz"
    data.touch()
    stamp.touch()
    os.utime(stamp, (dates.OLD, dates.OLD))

    def refused(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refused)
    dates.put(stamp, dates.OLD)  # which it has already
    with pytest.raises(
        UserError, match=r"stamp belongs to another user, and only its owner can set its date"
    ):
        dates.put(stamp, dates.OLD - 1)


PRUNING = """
prunings:
  p: {title: P, study: own, methods: {a: [magnitude]}, settings: {layers: [linear1], percents: [0, 50]}}
"""


@pytest.mark.parametrize("late", ["", "run", "evaluation", "measurement"])
def test_only_what_todays_code_has_made_is_kept_for_jobs_that_run_again(late, tmp_path):
    (tmp_path / "config.yaml").write_text(OWN + PRUNING)
    config, results = loading.load(tmp_path / "config.yaml"), tmp_path / "results"
    (variant,) = config.variants
    spec, run = variant.spec, variant.spec.run
    folder, measured = (
        places.folder(results / "runs", run, 0),
        results / "prunings" / "p" / f"{run}-seed0.json",
    )
    former = {
        part: {"code": "0" * 16} if part == late else {} for part in ("run", "evaluation", "measurement")
    }
    for path in (folder / "run.json", folder / "evaluation.json", measured):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    evaluation = derived.evaluation(spec, 0, results).made
    made = derived.measurement(config, "prunings", "p", variant, 0, results).made
    weights = {"checkpoint_sha256": "w"}
    record = {"code": derived.code("train.py", spec)} | weights | former["run"]
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "evaluation.json").write_text(json.dumps({"made": evaluation | weights | former["evaluation"]}))
    measured.write_text(json.dumps({"made": made | weights | former["measurement"]}))
    run_and_seed = {"run": run, "seed": "0"}
    jobs = [
        Job("train", run_and_seed, False),
        Job("measure", {"analysis": "prunings", "name": "p"} | run_and_seed, False),
    ]
    again.keep(jobs, config, results)
    resume = derived.resume(spec, 0, results)
    there = {
        "run": (resume / "finished" / "run.json").is_file(),
        "evaluation": kept.evaluation(resume, evaluation["code"]).is_file(),
        "measurement": kept.aside(measured, results).is_file(),
    }
    lost = {late, "evaluation"} if late == "run" else {late}
    assert there == {part: part not in lost for part in there}


@pytest.mark.parametrize("has_path", [True, False])
@pytest.mark.parametrize("modes", [True, False])
def test_paths_and_the_table_of_modes_are_asked_for_if_the_settings_have_them(modes, has_path, tmp_path):
    text = OWN.replace("name: sgd,", "name: dessilbi,") + f"modes: {str(modes).lower()}\n"
    if has_path:
        text = text.replace("    title: Own\n", "    title: Own\n    path: {weights_of: linear1}\n")
    (tmp_path / "config.yaml").write_text(text)
    config = loading.load(tmp_path / "config.yaml")
    assert ("results/modes/table.md" in outputs.tables(config)) == modes
    assert ("results/studies/own/path.png" in outputs.figures(config)) == has_path
