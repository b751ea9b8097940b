"""What is left, how long it takes and what settles claims, of planted runs."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from helpers import results
from helpers.sources import source
from pj import cli, config
from pj.claims import looks
from pj.claims.schema import Claims, Contrast
from pj.cli import watch
from pj.config.analyses import ANALYSES
from pj.config.spec import RunSpec
from pj.data import facts
from pj.data.facts import Known
from pj.errors import UserError
from pj.plan import claims, history, measure, notes, progress, times, work
from pj.plan.history import Measured, Took
from pj.plan.notes import Jobs
from pj.plan.times import Duration, Times
from pj.plan.work import Job
from pj.report.pages.keep import keep
from pj.runs import places
from pj.workflow import derived

RESULTS = Path("results")
MB = {"digits": Known(1437, 360, "3x32")}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two variants, three seeds, one claim; nothing is finished."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(results.CONFIG)
    Path("claims.yaml").write_text(results.CLAIMS)
    return config.load("config.yaml")


def write(project, variant, seed, accuracy=80.0, **record):
    """Write a finished run of the project; ``record`` adds what run.json says of its training."""
    (chosen,) = [v for v in project.study("own").variants if v.name == variant]
    results.write_run(RESULTS / "runs", chosen, seed, accuracy)
    path = RESULTS / "runs" / chosen.spec.run / f"seed{seed}" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | record))
    return chosen.spec


def trained(spec, seconds, processor="P", threads=1, **changes):
    return {
        "spec": json.loads(spec.json_text) | changes,
        "images": {"train": 1337, "validation": 100, "test": 360},
        "epochs": changes.get("epochs", spec.epochs),
        "seconds": seconds,
        "threads": threads,
        "provenance": {"device": "cpu", "processor": processor},
    }


def rules(jobs):
    return [job.rule for job in jobs]


def test_what_is_left_is_what_has_not_finished(project):
    every = work.left(project, RESULTS)
    assert rules(every).count("train") == rules(every).count("evaluate") == 6
    assert rules(every)[0] == "prepare_data" and rules(every)[-1] == "page"
    write(project, "slow", 0)
    left = work.left(project, RESULTS)
    spec = project.study("own").variants[0].spec
    assert rules(left).count("train") == 5 and (spec.run, 0) not in {(job.run, job.seed) for job in left}


def test_a_finished_run_that_only_has_to_be_put_back_is_evaluated_and_not_trained(project):
    spec = project.study("own").variants[0].spec
    resume = places.resume(RESULTS, spec.run, derived.code("train.py", spec), 1)
    (resume / "finished").mkdir(parents=True)
    (resume / "finished" / "run.json").write_text('{"state": "complete"}')
    found = {job.rule for job in work.left(project, RESULTS) if (job.run, job.seed) == (spec.run, 1)}
    assert found == {"evaluate"}


def test_a_damaged_evaluation_is_left_to_do(project):
    spec = write(project, "slow", 0)
    (RESULTS / "runs" / spec.run / "seed0" / "evaluation.json").write_text("{")
    found = {job.rule for job in work.left(project, RESULTS) if (job.run, job.seed) == (spec.run, 0)}
    assert found == {"evaluate"}


def test_targets_are_studies_runs_and_files_and_unknown_ones_are_named(project):
    every, run = work.left(project, RESULTS), project.study("own").variants[0].spec.run
    for target, trained in ((run, 3), (f"results/runs/{run}/seed0/evaluation.json", 1), ("own/slow", 3)):
        found = work.chosen(every, [target], project)
        assert {job.run for job in found if job.run} == {run} and "prepare_data" in rules(found)
        assert rules(found).count("train") == rules(found).count("evaluate") == trained
    dotted = project.study("own").variants[1]
    assert dotted.name == "fast_1.5"  # no name of a file
    assert {job.run for job in work.chosen(every, ["own/fast_1.5"], project) if job.run} == {dotted.spec.run}
    assert rules(work.chosen(every, [f"results/runs/{run}/seed1/run.json"], project)) == [
        "prepare_data",
        "train",
    ]
    assert rules(work.chosen(every, ["results/data/digits.npz"], project)) == ["prepare_data"]
    assert rules(work.chosen(every, ["results/studies/own/table.md"], project)).count("train") == 6
    assert work.chosen(every, ["results/report.html"], project) == every
    for wrong in ("owm", "own/slwo", "xyz/own", "data/x.npz"):
        with pytest.raises(UserError, match=f"'{wrong}' is no study, variant, analysis, run or dataset here"):
            work.chosen(every, [wrong], project)


def the_spec(project, **changes):
    return project.study("own").variants[0].spec.model_copy(update=changes)


def test_the_time_of_a_run_is_known_from_the_best_source_that_there_is(project):
    spec = the_spec(project)
    kind, steps, passes = history.kind(spec, MB), 268, 2 * (3 * 1337 + 460)
    size = history.size(spec, MB)
    assert (size.steps(spec), size.passes(spec)) == (steps, passes)
    same = Took(spec.run, kind, "P", passes, steps, 10.0)
    network = Took("other", kind, "P", passes / 2, steps / 2, 4.0)
    other_optimizer = Took("other", kind.replace("sgd", "adam"), "P", passes, steps, 6.0)
    step = Measured(kind, "P", 0.01, 0.001, 3e6)
    operations = {history.network(spec, MB): 1e5}

    def known(took=(), steps=(), operations=operations, points=()):
        return Times(project, MB, took, steps, operations, Jobs(), points).run(spec.run, spec)

    assert known([same, network], [step]) == Duration(10.0, times.SAME)
    assert known([network, other_optimizer], [step]) == Duration(pytest.approx(8.0), times.NETWORK)
    assert known([other_optimizer], [step]) == Duration(pytest.approx(6.0), times.NETWORK)
    assert known([], [step]) == Duration(pytest.approx(0.01 * steps + 0.001 * 460 * 2), times.STEPS)
    assert known() == Duration(None, times.UNKNOWN)
    modelled = known([], [], operations, [("cnn", 1e9, 1.1), ("cnn", 2e9, 2.1)])
    assert modelled.source == times.MODEL  # 0.1 s a step and 1e-9 s an operation
    assert modelled.seconds == pytest.approx(0.1 * steps + 1e-9 * 1e5 * passes, rel=1e-6)


def test_a_step_that_computes_two_gradients_counts_twice(project):
    sam = the_spec(project)
    sam = sam.model_copy(update={"optimizer": sam.optimizer.model_copy(update={"name": "sam"})})
    size = history.size(sam, MB)
    assert size.passes(sam) == 2 * (6 * 1337 + 460)
    step = Measured(history.kind(the_spec(project), MB), "P", 0.01, 0.0, 1e6)
    assert Times(project, MB, [], [step], {}, Jobs()).run("x", sam).seconds == pytest.approx(0.02 * 268)


@pytest.mark.parametrize("kind", ["npy", "empty", "scalar"])
def test_images_in_a_damaged_file_are_not_counted(kind, tmp_path):
    path = tmp_path / "own.npz"
    with path.open("wb") as file:
        if kind == "npy":
            np.save(file, np.zeros(3))
        elif kind == "scalar":
            np.savez(file, y_train=np.zeros(()), y_test=np.zeros(()))
    assert facts.counts(source("npz", path=str(path), classes=3), tmp_path / "nothing.npz") is None


def test_a_run_takes_the_steps_that_its_batches_have(project):
    spec = the_spec(project, batch_size=64)
    left = the_spec(project, batch_size=167)  # a last batch of one image is left out
    assert history.Size(1337, 0).steps(spec) == 2 * 21
    assert history.Size(1337, 0).steps(left) == 2 * 8


def test_the_cores_of_a_system_that_does_not_say_which_may_be_used_are_all_of_them(
    project, monkeypatch, capsys
):
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert cli.main(["plan"]) == 0 and cli.main(["watch", "--once"]) == 0
    assert f"{os.cpu_count()} runs at once" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["steps: 1", '{"steps": [{"kind": "x"}], "operations": [1]}'])
def test_damaged_times_are_measured_again(content, project):
    RESULTS.mkdir()
    (RESULTS / history.FILE).write_text(content)
    assert history.measured(RESULTS) == [] and history.operations(RESULTS) == {}


def test_a_budget_without_claims_is_refused(project, capsys):
    Path("without.yaml").write_text("claims: null")
    assert cli.main(["plan", "--configfile", "without.yaml", "--budget", "1h"]) == 1
    assert "--budget chooses among claims" in capsys.readouterr().err


def test_a_probed_step_takes_as_long_as_the_gradients_that_its_probes_compute_in_fp32(project, monkeypatch):
    probe = {"every": 4, "gradient": {"absolute": [0.1, 0.2], "relative": [1.0]}, "ics": ["linear1"]}
    probed = RunSpec.model_validate(the_spec(project).model_dump() | {"probe": probe})
    only_losses = RunSpec.model_validate(the_spec(project).model_dump() | {"probe": {}})
    assert history.gradients(only_losses) == 1
    assert history.gradients(probed) == 1 + (1 + 3 + 1) / 4
    assert history.size(probed, MB).passes(probed) == 2 * (3 * 1337 * 2.25 + 460)

    timed = []

    def per_step(training):
        timed.append((training.probing, training.conditions.precision))
        return [0.1, 0.3][len(timed) - 1]

    monkeypatch.setattr(measure, "_per_step", per_step)
    shape = SimpleNamespace(classes=10, channels=3, image_size=32)
    step, _ = measure._timed(probed, shape, "cpu", 1)
    assert step == pytest.approx(0.1 + 0.3 * 5 / 4)
    assert timed[1] == (None, "fp32") and timed[0][0] is None


def test_only_runs_of_this_device_tell_its_time(project):
    spec = the_spec(project)
    write(project, "slow", 0, **trained(spec, 10.0, processor="Q"))
    write(project, "slow", 1, **trained(spec, 20.0, processor="P"))
    found = list(history.finished(RESULTS, MB))
    assert {(run.device, run.seconds) for run in found} == {("Q, 1 thread", 10.0), ("P, 1 thread", 20.0)}
    assert {run.passes for run in found} == {2 * (3 * 1337 + 460)}


def test_runs_kept_of_another_machine_tell_its_time_though_their_data_are_not_here(project):
    spec = write(project, "slow", 0)
    keep(project, RESULTS, Path("kept"))
    provenance = Path("kept/provenance.json")
    content = json.loads(provenance.read_text())
    content["settings"]["datasets"] = {"digits": {"source": "npz", "path": "elsewhere.npz"}}
    provenance.write_text(json.dumps(content))
    (run,), images = history.kept(Path("kept"))
    assert images["digits"].train == 1437
    evaluation = json.loads((RESULTS / "runs" / spec.run / "seed0" / "evaluation.json").read_text())
    assert (run.run, run.seconds) == (spec.run, evaluation["seconds"])
    assert run.passes == history.size(spec, MB).passes(spec)
    assert times.known(project, RESULTS, Path("kept"))[0].took == [run]
    Path("kept/step_times.json").write_text('{"mlp eager": {"tflops": 1.0, "seconds_per_step": 0.1}}')
    known, _ = times.known(project, RESULTS, Path("kept"))
    assert (known.took, known.points) == ([run], [("mlp", 1e11, 0.1)])  # no operations are counted
    counted = {"operations": {history.network(spec, MB): 1e5}, "steps": []}
    (RESULTS / history.FILE).write_text(json.dumps(counted))
    known, _ = times.known(project, RESULTS, Path("kept"))  # the runs may have shared the device
    assert known.took == [] and known.run(run.run, spec).source == times.MODEL


def test_of_a_kept_gpu_the_captured_step_times_count_if_there_are_any(project):
    write(project, "slow", 0)
    keep(project, RESULTS, Path("kept"))
    eager = {"mlp eager": {"tflops": 1.0, "seconds_per_step": 0.1}}
    captured = {"mlp captured": {"tflops": 5.0, "seconds_per_step": 0.02}}
    for measured, seconds in ((eager, 0.1), (eager | captured, 0.02)):
        Path("kept/step_times.json").write_text(json.dumps(measured))
        assert times.known(project, RESULTS, Path("kept"))[0].points == [("mlp", 1e11, seconds)]


def test_the_plan_for_another_machine_takes_the_operations_of_a_network_as_fast_as_its_own_step_was(project):
    spec = the_spec(project)
    size, forward = history.size(spec, MB), 1e6
    operations = forward * size.passes(spec)
    others = ("cnn", 1e9, 0.002), ("cnn", 3e9, 0.004)  # a step takes 0.001 s, and 1e-12 s per operation

    def seconds(*points):
        known = Times(project, MB, [], [], {history.network(spec, MB): forward}, Jobs(), points)
        return known.run("another", spec).seconds

    steps = size.steps(spec)
    assert seconds(*others) == pytest.approx(0.001 * steps + 1e-12 * operations)
    # a step of a network on the line of the others is no news; one above it has slower operations only
    assert seconds(*others, ("mlp", 2e9, 0.003)) == pytest.approx(0.001 * steps + 1e-12 * operations)
    measured = Times(project, MB, [], [], {}, Jobs(), [*others, ("mlp", 2e9, 0.3)])
    overhead, per_operation = measured._of_network["mlp"]
    assert overhead == measured._model[0]
    assert overhead + 2e9 * per_operation == pytest.approx(0.3)


def test_a_measured_step_shorter_than_the_overhead_of_others_is_taken_as_it_is(project):
    known = Times(
        project, MB, [], [], {}, Jobs(), [("cnn", 1e9, 0.002), ("cnn", 3e9, 0.002), ("mlp", 1e9, 1e-4)]
    )
    overhead, per_operation = known._of_network["mlp"]
    assert overhead + 1e9 * per_operation == pytest.approx(1e-4)


def test_another_machines_runs_tell_the_time_of_other_variants_whose_data_are_not_here(project):
    text = results.CONFIG.replace("{source: digits}", "{source: npz, path: gone.npz, classes: 10}")
    write(project, "slow", 0)
    keep(project, RESULTS, Path("kept"))
    Path("config.yaml").write_text(text)
    elsewhere = config.load("config.yaml")
    known, _ = times.known(elsewhere, Path("nothing"), Path("kept"))
    other = next(v.spec for v in elsewhere.study("own").variants if v.name != "slow")
    assert known.run(other.run, other).source == times.NETWORK


def test_jobs_side_by_side_take_as_long_as_the_busiest_worker_and_pages_wait():
    jobs = [(Job("train", str(i)), seconds) for i, seconds in enumerate((30.0, 10.0, 10.0, 10.0))]
    jobs.append((Job("page", "p"), 5.0))
    each, start = times.EACH, times.START
    assert times.side_by_side(jobs, 2, 2) == pytest.approx(start + 30 + 2 * each + 5, abs=0.5)
    assert times.side_by_side(jobs, 1, 2) == pytest.approx(start + 60 + 5 * each + 5)
    assert times.side_by_side([], 1, 1) == 0.0


def test_the_fixed_cost_of_a_job_is_what_finished_ones_took_without_training(project):
    spec = write(project, "slow", 0, seconds=7.0)
    notes.NOTES.mkdir(parents=True)
    for path, rule, took in (
        (f"results/runs/{spec.run}/seed0/run.json", "train", 10.0),
        ("results/studies/own/table.md", "tables", 1.5),
        ("results/prunings/p/x-seed0.json", "measure", 4.0),
    ):
        note = {"rule": rule, "starttime": 100.0, "endtime": 100.0 + took, "incomplete": False}
        (notes.NOTES / base64.b64encode(path.encode()).decode()).write_text(json.dumps(note))
    found = notes.read()
    assert (found.fixed["train"], found.fixed["table"], found.fixed["page"]) == (
        3.0,
        1.5,
        notes.FIXED["page"],
    )
    assert found.measurements["prunings", "p", "x"] == [4.0]


def claim_of(project):
    from pj.claims.loading import of

    return of(project)


def test_a_claim_lacks_its_runs_and_its_verdict_is_not_shown_before_they_have_finished(project):
    for seed in range(3):
        write(project, "slow", seed, 70.0)
        if seed < 2:
            write(project, "fast_1.5", seed, 80.0 + seed)
    (found,) = claims.judged(claim_of(project), work.left(project, RESULTS), project, RESULTS)
    assert found.verdict == claims.OPEN and {(job.rule, job.seed) for job in found.lacking} == {
        ("train", 2),
        ("evaluate", 2),
    }
    assert not (RESULTS / looks.FILE).exists()
    write(project, "fast_1.5", 2, 80.5)
    (found,) = claims.judged(claim_of(project), work.left(project, RESULTS), project, RESULTS)
    assert found.verdict == "reproduced" and not found.lacking
    assert (RESULTS / looks.FILE).exists()  # this was a look


def test_a_claim_waits_for_the_probes_table_of_its_own_study_and_only_if_its_verdict_needs_it(project):
    own, other = (Job("table", f"results/studies/{name}/probes_table.md") for name in ("own", "my_own"))
    of_probes = "statistic: probed, study: own, row: {quantity: beta}, expect: below"
    head = "id: 1, report: ours, statement: so"
    probed = f"{{{head}, {of_probes}}}"
    further = f"also: [{{{head}, {of_probes}}}]"
    runs = "statistic: contrast, contrast: {own/slow: 1}, expect: above"
    for claim, wanted in ((probed, (own,)), (f"{{{head}, {runs}, {further}}}", ())):
        (one,) = Claims.model_validate(yaml.safe_load(f"claims: [{claim}]")).claims
        (found,) = claims.judged([one], [own, other], project, RESULTS)
        assert found.lacking == wanted


CONV1 = {"layers": ["conv1"]}
VIEW = {"feature_maps": ["conv1"], "grad_cam": ["conv1"]}


@pytest.mark.parametrize(
    ("key", "asked", "passes"),
    [
        (
            "prunings",
            {"layers": ["conv1"], "percents": [0, 50], "draws": 3, "methods": ["magnitude", "random"]},
            8000,
        ),
        ("landscapes", {"images": 10, "points": 5, "side": 3}, 10 * (5 + 9 + 240)),
        (
            "interpretations",
            {"feature_maps": ["conv1"], "grad_cam": ["conv1"], "images": 10, "draws": 3},
            1050,
        ),
    ],
)
def test_the_time_of_a_measurement_is_counted_in_passes_of_images(key, asked, passes):
    analysis = ANALYSES[key]
    assert analysis.passes(analysis.asked.model_validate(asked), 1000) == passes


def test_a_quantity_against_the_reference_needs_its_runs_too(project):
    text = results.CLAIMS.replace("own/fast_1.5: 1, own/slow: -1", "own/fast_1.5: 1")
    Path("claims.yaml").write_text(text + "    quantity: step_loss_difference\n    margin: 0.1\n")
    (found,) = claims.judged(claim_of(project), work.left(project, RESULTS), project, RESULTS)
    assert len({job.run for job in found.lacking}) == 2


def test_a_budget_settles_most_verdicts_per_second_and_shared_runs_count_once():
    def one(id, chance, *runs):
        jobs = tuple(Job("train", f"results/runs/{run}/seed0/run.json", run) for run in runs)
        return claims.Open(id, claims.OPEN, jobs, 1, None, chance)

    def seconds(jobs):
        jobs = list(jobs)
        return None if any(job.run == "unknown" for job in jobs) else 10.0 * len(jobs)

    a, b, c = one("a", 0.9, "x", "y"), one("b", 0.8, "y"), one("c", 0.9, "z", "u", "v")
    lost, finished = one("lost", 1.0, "unknown"), one("finished", 1.0)
    found = claims.within([a, b, c, lost, finished], seconds, 30.0)
    assert [(open_.found, cost) for open_, cost in found] == [("b", 10.0), ("a", 10.0)]
    assert [open_.found for open_, _ in claims.within([a, b, c], seconds, 50.0)] == ["b", "a", "c"]
    assert claims.within([a, c], seconds, 15.0) == []


def test_the_targets_of_a_budget_are_written_for_a_shell():
    jobs = [
        Job("train", "results/runs/r/seed0/run.json", "r", 0),
        Job("evaluate", "results/runs/r/seed0/evaluation.json", "r", 0),
        Job("evaluate", "results/runs/r/seed3/evaluation.json", "r", 3),
        Job("measure", "results/prunings/p/r-seed1.json", "r", 1),
    ]
    assert claims.targets(jobs) == [
        "results/runs/r/seed{0,3}/evaluation.json",
        "results/prunings/p/r-seed1.json",
    ]


def test_the_command_says_what_is_left_what_is_not_known_and_what_each_claim_lacks(project, capsys):
    assert cli.main(["plan", "--cores", "2"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"own +6 runs +\? +not known", printed) and "Time: not known for 6 jobs" in printed
    assert re.search(r"3 +open +6 +\? +3", printed)
    for seed in range(2):
        write(project, "slow", seed, 70.0, **trained(the_spec(project), 10.0))
    assert cli.main(["plan", "own", "--cores", "2", "--like", "nowhere"]) == 1


def test_a_budget_is_answered_by_a_command_or_by_what_it_lacks(project, capsys):
    assert cli.main(["plan", "--budget", "1h"]) == 1
    assert "settles no claim: how long their runs take is not known here" in capsys.readouterr().err
    made = times.here(project, [], []).rpartition(",")[0]
    write(project, "slow", 0, 70.0, **trained(the_spec(project), 10.0, processor=made))
    assert cli.main(["plan", "--budget", "1h", "--cores", "1"]) == 0
    printed = capsys.readouterr().out
    assert "1 claim in" in printed and "snakemake --cores 1 --keep-going -- " in printed
    assert f"results/runs/{the_spec(project).run}/seed{{1,2}}/evaluation.json" in printed
    with pytest.raises(SystemExit):
        cli.main(["plan", "--budget", "soon"])
    assert "'soon'; allowed: a number and one of s, m, min, h, d, such as 2h" in capsys.readouterr().err


def test_a_plan_of_5000_runs_takes_less_than_10_seconds_and_no_torch(project):
    """The whole configuration is of one study here; the time is that of the processor."""
    text = results.CONFIG.replace("      slow:", "      v: {}\n      slow:")
    many = "".join(f"      v{i}: {{optimizer: {{lr: {0.001 + i / 1e6:.6f}}}}}\n" for i in range(1664))
    Path("config.yaml").write_text(text.replace("      v: {}\n", many))
    program = (
        "import resource, sys; from pj import cli; cli.main(['plan']); assert 'torch' not in sys.modules; "
    )
    program += "print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "4998 train" in found.stdout and float(found.stdout.split()[-1]) < 10


def test_steps_are_measured_for_each_kind_and_kept(project, capsys):
    assert cli.main(["plan", "--measure"]) == 0
    printed = capsys.readouterr().out
    assert "Timing 1 kind of runs" in printed and "measured steps" in printed
    kept = json.loads((RESULTS / history.FILE).read_text())
    spec = the_spec(project)
    images = facts.images_of(project, RESULTS)
    step = next(step for step in kept["steps"] if step["kind"] == history.kind(spec, images))
    weights = 3 * 32 * 32 * 1024 + 1024 * 10
    assert kept["operations"][history.network(spec, images)] == 2 * weights
    assert step["operations"] == 6 * weights * spec.batch_size and 0 < step["seconds"] < 1
    assert cli.main(["plan", "--measure"]) == 0
    assert "Nothing to measure" in capsys.readouterr().out


def test_the_operations_of_a_measured_step_are_those_of_all_its_gradients(project, monkeypatch):
    monkeypatch.setattr(measure, "_timed", lambda *_: (0.1, 0.001))
    monkeypatch.setattr(measure, "operations", lambda *_: 1e6)
    spec = the_spec(project)
    sam = RunSpec.model_validate(spec.model_dump() | {"optimizer": {"name": "sam", "lr": 0.1, "rho": 0.1}})
    specs = {history.kind(one, MB): one for one in (spec, sam)}
    once, twice = measure.measure(specs, MB, RESULTS, device="cpu", threads=1, seconds=60)
    step = 3e6 * spec.batch_size  # a backward pass takes two forward passes
    assert (once.operations, twice.operations) == (step, 2 * step)
    assert (once.gradients, twice.gradients) == (1, 2)


def test_operations_are_counted_of_networks_whose_time_is_known_here_for_plans_like_other_machines(
    project, capsys
):
    spec = write(project, "slow", 0, **trained(the_spec(project), 10.0))
    assert cli.main(["plan", "--measure"]) == 0
    counted = json.loads((RESULTS / history.FILE).read_text())["operations"]
    assert history.network(spec, facts.images_of(project, RESULTS)) in counted


def test_the_progress_of_the_whole_counts_done_running_waiting_and_failed_runs(project, capsys):
    write(project, "slow", 0)
    spec = the_spec(project)
    (RESULTS / ".progress").mkdir()
    said = {"run": spec.run, "seed": 1, "epochs": 2, "epoch": 1, "step": 0, "steps": 100, "seconds": 30.0}
    said |= {"last": {}, "time": time.time(), "host": "another"}
    (RESULTS / ".progress" / "a.json").write_text(json.dumps(said))
    logs = RESULTS / "logs" / "train"
    logs.mkdir(parents=True)
    entry = "2026-01-01 10:00:00,000 {} something\nTraceback\n  of it\n"
    (logs / f"{spec.run}-seed2.log").write_text(entry.format("INFO") + entry.format("ERROR"))
    other = project.study("own").variants[1].spec.run
    (logs / f"{other}-seed0.log").write_text(entry.format("ERROR") + entry.format("INFO"))  # it goes on
    assert cli.main(["watch", "--once"]) == 0
    printed = capsys.readouterr().out
    assert "1 of 6 runs done (16 %), 1 in training, 3 waiting, 1 failed; time left not known" in printed
    assert f"failed: results/logs/train/{spec.run}-seed2.log" in printed and "30 s left" in printed


def test_the_time_left_is_that_of_the_same_estimates_as_the_plan(project):
    spec = the_spec(project)
    known = times.Times(
        project, MB, [Took(spec.run, history.kind(spec, MB), "P", 1e4, 10, 50.0)], [], {}, Jobs()
    )
    found = progress.whole(project, RESULTS, known, 0.0, computing=1, cores=1)
    jobs = work.left(project, RESULTS)
    timed = [(job, known.job(job).seconds) for job in jobs]
    assert found.left == pytest.approx(times.side_by_side(timed, 1, 1)) and found.left > 300


def test_a_terminal_is_shown_bars_and_a_narrow_one_which_run_and_how_long(project):
    from rich.console import Console

    runs = [progress.Running("digits-mlp-1a2b3c4d", seed, 0.5, 2, 4, 42.0, 50.0) for seed in ("1", "2")]

    def text(width):
        console = Console(width=width, force_terminal=True, record=True)
        console.print(watch.shown(runs, progress.Whole(3, 1, 2, (), 90.0), width))
        return console.export_text()

    assert "3 of 6 runs done (50 %), 1 in training, 2 waiting, 0 failed; 1:30 min left" in text(120)
    assert "━" in text(120) and "epoch 2/4" in text(120)
    for seed in "12":
        assert f"digits-mlp-1a2b3c4d seed {seed}  50.0 %  50 s left" in text(60)
    assert len([line for line in text(30).splitlines() if line.startswith("digits")]) == 2


def test_one_of_each_network_is_timed_first_and_the_cheap_before_the_expensive(project):
    names = {"lenet": ("a", "c"), "mlp": ("b", "d"), "resnet9": ("e",)}
    cost = {"a": 3.0, "c": 1.0, "b": 2.0, "d": 4.0, "e": 9.0}
    specs = {
        kind: SimpleNamespace(kind=kind, model=SimpleNamespace(name=n))
        for n, ks in names.items()
        for kind in ks
    }
    found = measure.in_order(specs, lambda spec: cost[spec.kind])
    assert [kind for kind, _ in found] == ["c", "b", "e", "a", "d"]


def test_what_changes_the_time_of_a_step_is_part_of_a_runs_kind(project):
    spec = the_spec(project)
    probed = RunSpec.model_validate(spec.model_dump() | {"probe": {"every": 1}})
    precise = RunSpec.model_validate(spec.model_dump() | {"precision": "fp32"})
    compiled = RunSpec.model_validate(spec.model_dump() | {"compile": True})
    augmented = RunSpec.model_validate(
        spec.model_dump() | {"data": spec.data.model_dump() | {"randaugment": {}}}
    )
    rmsprop, cosine = {"optimizer": {"name": "rmsprop", "lr": 0.1}}, {"schedule": {"name": "cosine"}}
    constant = RunSpec.model_validate(spec.model_dump() | rmsprop)
    never_replayed = RunSpec.model_validate(spec.model_dump() | rmsprop | cosine)
    different = (spec, probed, precise, compiled, augmented, constant, never_replayed)
    assert len({history.kind(one, MB) for one in different}) == len(different)
    replayed = RunSpec.model_validate(spec.model_dump() | cosine)
    assert history.kind(replayed, MB) == history.kind(spec, MB)
    assert history.network(probed, MB) == history.network(spec, MB)
    rates = (0.0, 0.1, 0.5)
    models = [{**spec.model.model_dump(), "dropout": rate} for rate in rates]
    none, low, high = (RunSpec.model_validate(spec.model_dump() | {"model": model}) for model in models)
    assert history.network(none, MB) != history.network(low, MB) == history.network(high, MB)


def test_a_diverged_run_tells_no_time(project):
    write(project, "slow", 0, state="diverged", **trained(the_spec(project), 0.5))
    assert not list(history.finished(RESULTS, MB))


def test_a_run_on_each_gpu_of_this_machine_is_planned(project, capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert cli.main(["plan", "--cores", "4"]) == 0
    assert "GPU, 2 runs at once" in capsys.readouterr().out


def test_spreads_of_values_in_other_units_are_not_taken_for_each_other():
    def measured(cell):
        words = {"id": 1, "report": "A", "statement": "so", "statistic": "contrast", "expect": "above"}
        return claims._measured(Contrast(**words, contrast={cell: 1}))

    assert measured("own/slow") == "selected"
    assert measured("prunings/p/slow/magnitude/50") == "accuracy"
    assert measured("interpretations/i/slow/conv1/grad_cam") == "grad_cam"


def test_options_that_would_be_ignored_are_refused(project, capsys):
    assert cli.main(["plan", "own", "--budget", "1h"]) == 1
    assert "leave the targets out" in capsys.readouterr().err
    if times.on_gpu(times.here(project, [], [])):
        pytest.skip("a GPU is here")
    assert cli.main(["plan", "--gpus", "2"]) == 1
    assert "--like FOLDER plans for another machine" in capsys.readouterr().err


def test_a_table_that_is_older_than_an_evaluation_is_left(project):
    for variant in ("slow", "fast_1.5"):
        for seed in range(3):
            write(project, variant, seed)
    table = RESULTS / "studies" / "own" / "table.md"
    table.parent.mkdir(parents=True)
    table.touch()
    assert str(table) not in {job.target for job in work.left(project, RESULTS)}
    os.utime(table, (1.0, 1.0))
    assert str(table) in {job.target for job in work.left(project, RESULTS)}


def test_every_rule_of_the_workflow_has_its_kind_of_job():
    root = Path(__file__).parents[2]
    text = "\n".join(path.read_text() for path in sorted((root / "rules").glob("*.smk")))
    names = set(re.findall(r"^(?:use rule \w+ as|rule) (\w+)", text, re.MULTILINE))
    assert {notes.RULES.get(name, name) for name in names - {"train_probed"}} == set(notes.FIXED)
    assert set(notes.RULES) <= names
