"""The workflow on a real SLURM of one node with one GPU, which is /dev/null: nothing here computes on it."""

import getpass
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import cluster
import pytest

from helpers.project import PROBED, copy, edit, until
from pj.files import sha256

MISSING = cluster.missing()
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING} (Debian: slurmctld slurmd munge)"),
]
# No accounting here; and the answers that a cluster of minutes would wait for.
SITE = (
    "--slurm-no-account",
    *("--slurm-init-seconds-before-status-checks", "5", "--seconds-between-status-checks", "5"),
    *("--latency-wait", "5", "--default-resources", "mem_mb=2000", "runtime=5"),
)
LONG = """
seeds: [0]
threads: 1
precision: fp32
datasets: {digits: {source: digits}}
studies:
  long:
    title: Long enough to be cut off
    base:
      data: {name: digits}
      model: {name: cnn, width: 0.1}
      loss: {name: cross_entropy}
      optimizer: {name: adamw, lr: 0.001}
      epochs: EPOCHS
      batch_size: 50
    variants: VARIANTS
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A running cluster."""
    with cluster.running(tmp_path_factory.mktemp("slurm")) as found:
        yield found


@pytest.fixture
def project(tmp_path):
    """A project of its own with a configuration."""

    def make(text: str) -> Path:
        folder = copy(tmp_path)
        (folder / "config.yaml").write_text(text)
        return folder

    return make


STARTED: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def _nothing_is_left(slurm):
    """End a failed test's workflow and jobs, which the next one would wait for."""
    yield
    for process in STARTED:
        process.kill()
        process.wait()
    STARTED.clear()
    client(slurm, "scancel", "--user", getpass.getuser())
    until(lambda: not client(slurm, "squeue", "--noheader"))
    node = client(slurm, "sinfo", "--noheader", "--format=%n").strip()
    if "drain" in client(slurm, "sinfo", "--noheader", "--format=%T"):
        client(slurm, "scontrol", "update", f"nodename={node}", "state=resume")


def start(project, slurm, *arguments):
    """Start the workflow through the profile."""
    environment = slurm.environment | {"PYTHONPATH": str(project / "src")}
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *SITE, *arguments]
    output = (project / "output.txt").open("w")
    STARTED.append(subprocess.Popen(command, cwd=project, env=environment, stdout=output, stderr=output))
    return STARTED[-1]


def ended(project, process, seconds=400) -> str:
    """Return what a workflow said, as soon as it has ended."""
    process.wait(seconds)
    return (project / "output.txt").read_text()


def client(slurm, *command) -> str:
    return subprocess.run(command, env=slurm.environment, capture_output=True, text=True, check=True).stdout


def next_call(slurm, program) -> None:
    """Wait until the plugin calls a client of SLURM again."""
    before = len(slurm.calls(program))
    until(lambda: len(slurm.calls(program)) > before)


def running(slurm) -> list[str]:
    return client(slurm, "squeue", "--noheader", "--states=RUNNING", "--format=%i").split()


def log_of(project, run="*") -> str:
    return "".join(path.read_text() for path in project.glob(f"results/logs/train/{run}.log"))


def test_from_an_empty_folder_to_the_report_through_the_queue(project, slurm):
    folder = project(PROBED)
    before, ended_before = len(slurm.calls("sbatch")), len(slurm.finished())
    output = ended(folder, start(folder, slurm), 560)
    assert "steps (100%) done" in output, output
    assert "probes.png" in (folder / "results" / "report.md").read_text()
    calls = slurm.calls("sbatch")[before:]
    assert all("--gpus=1" in call and "--no-requeue" in call for call in calls)
    rules = [re.search(r"--comment (\S+)", call)[1] for call in calls]
    # local: prepare_data, tables, figures and so on; a job each: two probed runs; a group: two runs of LeNet
    assert len([rule for rule in rules if rule.startswith("rule_train_probed")]) == 2, rules
    assert len([rule for rule in rules if "small" in rule]) == 2, rules
    assert not [rule for rule in rules if re.search("table|figure|report|page|prepare|modes", rule)]
    spans = [
        (datetime.fromisoformat(job["StartTime"]), datetime.fromisoformat(job["EndTime"]))
        for job in slurm.finished()[ended_before:]
    ]
    for (_, end), (begin, _) in zip(sorted(spans), sorted(spans)[1:], strict=False):
        assert end <= begin  # one GPU, so one job at a time


@pytest.mark.long
def test_a_job_that_is_cancelled_or_cut_off_goes_on_to_the_same_bits(project, slurm):
    """By scancel first, then by its time limit of a minute; against the run in one piece, beside SLURM."""
    folder = project(LONG.replace("EPOCHS", "110").replace("VARIANTS", "{run: {}}"))
    code = "import sys; from pj import cli; sys.exit(cli.main(sys.argv[1:]))"
    whole = [sys.executable, "-c", code, "train", "long", "run", "--output", "whole"]
    limit = ("--set-resources", "train:runtime=1", "--retries", "8")
    process = start(folder, slurm, *limit, "--", "results/studies/long/table.md")
    job = until(lambda: running(slurm))[0]
    until(lambda: "epoch 5" in log_of(folder))
    client(slurm, "scancel", job)
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    beside = subprocess.Popen(whole, cwd=folder, env=environment)
    output = ended(folder, process, 900)
    assert "steps (100%) done" in output, output
    assert output.count("Trying to restart job") >= 2  # cancelled once, cut off once
    (record,) = folder.glob("results/runs/*/seed0/run.json")
    content = json.loads(record.read_text())
    assert len(content["resumed_at_steps"]) >= 2
    assert beside.wait(600) == 0
    assert content["checkpoint_sha256"] == sha256(folder / "whole" / "checkpoint.pt")
    states = [found["JobState"] for found in slurm.finished()]
    assert "TIMEOUT" in states and "CANCELLED" in states


@pytest.mark.long
def test_source_that_is_edited_meanwhile_makes_no_job_do_anothers_work(project, slurm):
    """One run is being trained, another waits for the GPU, a third was finished by an earlier call."""
    variants = "{a: {}, b: {optimizer: {lr: 0.002}}, c: {optimizer: {lr: 0.003}, epochs: 1}}"
    folder = project(LONG.replace("EPOCHS", "25").replace("VARIANTS", variants))
    names = _runs(folder)
    done = [f"results/runs/{names['c']}/seed0/run.json"]
    assert "(100%) done" in ended(folder, start(folder, slurm, "--", *done))
    before = {path: path.read_bytes() for path in (folder / done[0]).parent.iterdir()}
    targets = [f"results/runs/{names[name]}/seed0/run.json" for name in "ab"]
    process = start(folder, slurm, "--", *targets)
    first, second = until(lambda: _first_of(folder, names))
    edit(folder, "src/pj/models/cnn.py", "padding=2)", "padding=2, ceil_mode=False)")
    assert "(100%) done" in ended(folder, process)
    assert {path: path.read_bytes() for path in (folder / done[0]).parent.iterdir()} == before
    for name in (first, second):
        assert log_of(folder, f"{name}-seed0").count("begins at its first step") == 1
    codes = [
        json.loads((folder / f"results/runs/{n}/seed0/run.json").read_text())["code"] for n in (first, second)
    ]
    old = json.loads((folder / done[0]).read_text())["code"]
    assert codes[0] == old and codes[1] == _code(folder, names["a"]) != old


def _runs(folder) -> dict[str, str]:
    code = "from pj import config\nfor v in config.load('config.yaml').variants: print(v.name, v.spec.run)"
    return dict(line.split() for line in _python(folder, code).splitlines())


def _code(folder, run) -> str:
    return _python(
        folder,
        "from pathlib import Path; from pj import config; from pj.runs.fingerprint import run_fingerprint\n"
        f"spec = config.load('config.yaml').runs()[{run!r}].spec\n"
        "print(run_fingerprint(Path('workflow/scripts/train.py'), spec))",
    ).strip()


def _python(folder, code, base=os.environ) -> str:
    environment = {**base, "PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return run.stdout


def _first_of(folder, names) -> tuple[str, str] | None:
    """Return the run that is being trained and the one that waits, as soon as there is an epoch."""
    for one, other in (("a", "b"), ("b", "a")):
        if "epoch 2" in log_of(folder, f"{names[one]}-seed0"):
            return names[one], names[other]
    return None


@pytest.mark.long
def test_a_drained_node_and_a_stopped_workflow_end_readably_and_a_later_call_goes_on(project, slurm):
    folder = project(LONG.replace("EPOCHS", "2").replace("VARIANTS", "{run: {}}"))
    node = client(slurm, "sinfo", "--noheader", "--format=%n").strip()
    client(slurm, "scontrol", "update", f"nodename={node}", "state=drain", "reason=maintenance")
    process = start(folder, slurm, "--", "results/studies/long/table.md")
    waiting = "squeue", "--noheader", "--states=PENDING", "--format=%r"
    assert until(lambda: client(slurm, *waiting).strip())
    printed = _python(folder, "from pj import cli; cli.main(['doctor'])", slurm.environment)
    assert "drain" in printed and "maintenance" in printed
    process.send_signal(signal.SIGINT)
    output = ended(folder, process)
    assert process.returncode != 0
    assert "has been submitted with SLURM jobid" in output and "Traceback" not in output
    until(lambda: not client(slurm, "squeue", "--noheader"))
    client(slurm, "scontrol", "update", f"nodename={node}", "state=resume")
    output = ended(folder, start(folder, slurm, "--", "results/studies/long/table.md"))
    assert "steps (100%) done" in output, output


def test_a_run_that_fails_costs_the_others_of_its_job_no_step(project, slurm):
    """Three runs share a job, and the last of them fails; Snakemake then deletes what the others made."""
    text = LONG.replace("EPOCHS", "3").replace("VARIANTS", "{run: {}}").replace("cnn", "mlp")
    folder = project(text.replace("[0]", "[0, 1, 2]"))
    fault = (
        "    if len([*Path('results/runs').glob('*/*/run.json')]) == 2 and not Path('repaired').exists():\n"
        "        raise SystemExit('a fault for the test')\n    spec, here"
    )
    edit(folder, "workflow/scripts/train.py", "    spec, here", fault)
    before = len(slurm.calls("sbatch"))
    options = "--config", "device=cpu", "--retries", "0", "--", "results/studies/long/table.md"
    assert "error" in ended(folder, start(folder, slurm, *options)).lower()
    assert log_of(folder).count("begins at its first step") == 2
    (folder / "repaired").touch()
    output = ended(folder, start(folder, slurm, *options))
    assert "steps (100%) done" in output, output
    log = log_of(folder)  # of the second call: Snakemake deletes a job's log with its output
    assert log.count("trained already") == 2 and log.count("begins at its first step") == 1
    calls = slurm.calls("sbatch")[before:]
    assert len(calls) == 3 and not any("--gpus" in call for call in calls)  # training twice, and evaluation
    # five minutes each, one after another
    assert all("-t 15" in call and "--mem 2000" in call for call in calls)


@pytest.mark.long
def test_a_controller_that_is_down_meanwhile_loses_no_job(project, slurm):
    folder = project(LONG.replace("EPOCHS", "10").replace("VARIANTS", "{a: {}, b: {epochs: 11}}"))
    process = start(folder, slurm, "--", "results/studies/long/table.md")
    until(lambda: "epoch 2" in log_of(folder))
    next_call(slurm, "squeue")
    time.sleep(1)  # that look at the jobs is over, and the next begins while the controller is down
    slurm.stop("slurmctld")
    try:
        next_call(slurm, "scontrol")
        next_call(slurm, "squeue")
    finally:
        slurm.start("slurmctld", "-D")
    output = ended(folder, process)
    assert "steps (100%) done" in output and "Trying to restart job" not in output, output


def test_a_wrong_partition_is_reported_in_slurms_own_words(project, slurm):
    """And every attempt asks for more time than the one before."""
    folder = project(LONG.replace("EPOCHS", "2").replace("VARIANTS", "{run: {}}"))
    before = len(slurm.calls("sbatch"))
    site = ("--default-resources", "slurm_partition=nowhere", "mem_mb=100")
    process = start(folder, slurm, "--retries", "1", *site)
    output = ended(folder, process)
    assert process.returncode != 0
    assert "invalid partition specified: nowhere" in output and "Traceback" not in output
    limits = [re.search(r"-t (\d+)", call)[1] for call in slurm.calls("sbatch")[before:]]
    assert limits == ["120", "240"]


def test_jobs_that_a_killed_workflow_left_in_the_queue_are_named_and_nothing_is_made_twice(project, slurm):
    folder = project(LONG.replace("EPOCHS", "2").replace("VARIANTS", "{run: {}}"))
    node = client(slurm, "sinfo", "--noheader", "--format=%n").strip()
    client(slurm, "scontrol", "update", f"nodename={node}", "state=drain", "reason=maintenance")
    target = "--", "results/studies/long/table.md"
    process = start(folder, slurm, *target)
    waiting = until(lambda: client(slurm, "squeue", "--noheader", "--states=PENDING", "--format=%i").split())
    process.kill()
    process.wait()
    ended(folder, start(folder, slurm, "--unlock"))
    output = ended(folder, start(folder, slurm, *target))
    assert f"it goes on where they were: scancel {' '.join(waiting)}" in output, output
    client(slurm, "scancel", *waiting)
    until(lambda: not client(slurm, "squeue", "--noheader"))
    client(slurm, "scontrol", "update", f"nodename={node}", "state=resume")
    output = ended(folder, start(folder, slurm, *target))
    assert "steps (100%) done" in output, output


def test_small_runs_in_pieces_do_not_share_a_job(project, slurm):
    """Each attempt of a shared job would end with the first piece of its first run."""
    text = LONG.replace("EPOCHS", "2").replace("VARIANTS", "{run: {}}").replace("cnn", "mlp")
    folder = project(text.replace("[0]", "[0, 1, 2]"))
    before = len(slurm.calls("sbatch"))
    options = "--config", "device=cpu", "max_seconds=600", "--", "results/studies/long/table.md"
    output = ended(folder, start(folder, slurm, *options))
    assert "steps (100%) done" in output, output
    calls = slurm.calls("sbatch")[before:]
    assert sum("rule_train" in call for call in calls) == 3 and len(calls) == 4  # and evaluation, together
