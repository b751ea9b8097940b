"""A workflow that is killed while its trainer goes on, and two workflows at once: nothing is lost."""

import json
import os
import signal
import subprocess
import sys

import pytest

from helpers.project import OWN, copy, edit, snakemake, until

pytestmark = pytest.mark.workflow
CONFIG = OWN.replace("seeds: [0, 1]", "seeds: [0]").replace("epochs: 1", "epochs: 3")
TARGET = "--", "results/studies/own/table.md"
# Training waits after its first epoch while there is a file, and shows that it is alive.
WAIT = """        training.end_epoch()
        while Path("wait").exists() and not stop:
            progress.written = 0.0
            progress.step(1, 0, 1, 1.0)
            __import__("time").sleep(0.2)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy(tmp_path_factory.mktemp("interrupted"))
    (folder / "config.yaml").write_text(CONFIG)
    edit(folder, "src/pj/training/loop.py", "        training.end_epoch()\n", WAIT)
    return folder


def started(folder, *arguments):
    """Start a workflow, whose output goes to a file, and return its process."""
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    with (folder / "output.txt").open("w") as file:
        heard = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup make test` has it ignored
        try:
            return subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
        finally:
            signal.signal(signal.SIGHUP, heard)


def fails(folder, *arguments):
    output = snakemake(folder, *arguments, config=(), check=False)
    assert "Traceback" not in output and "jobs: 1 train, 1 evaluate, 1 tables" not in output.splitlines()[-1]
    return output


def test_a_run_in_training_is_trained_by_nobody_else_and_goes_on_when_its_workflow_is_killed(
    project, tmp_path
):
    (project / "wait").touch()
    workflow = started(project, *TARGET)
    try:
        until(lambda: list(project.glob("results/.progress/*.json")) or workflow.poll() is not None)
        (progress,) = project.glob("results/.progress/*.json")
        trainer = json.loads(progress.read_text())["pid"]
        in_training = f"seed 0: process {trainer} on "
        # A second workflow in the same folder, and one in another folder with the same results.
        assert "`snakemake --unlock`, then call again" in fails(project, *TARGET)
        (tmp_path / "other").mkdir()
        other = copy(tmp_path / "other")
        (other / "config.yaml").write_text(CONFIG)
        edit(other, "src/pj/training/loop.py", "        training.end_epoch()\n", WAIT)
        (other / "results").symlink_to(project / "results")
        assert in_training in fails(other, *TARGET)
        # The workflow dies, its trainer does not.
        workflow.send_signal(signal.SIGKILL)
        workflow.wait()
        os.kill(trainer, 0)
        snakemake(project, "--unlock", config=())
        assert in_training in fails(project, *TARGET)
        (log,) = project.glob("results/logs/train/*.log")
        assert "begins at its first step" in log.read_text()  # Snakemake would have deleted it with the job
    finally:
        (project / "wait").unlink()
        workflow.kill()
    until(lambda: not progress.exists())
    output = snakemake(project, *TARGET, config=())
    assert "nothing was trained" in output
    assert len((project / "results" / "studies" / "own" / "runs.csv").read_text().splitlines()) == 2


def test_a_workflow_that_is_ended_ends_its_trainings_which_go_on_where_they_were(project):
    """By a scheduler's SIGTERM, or a closed terminal: no lock stays, and no trainer without its workflow."""
    more = "--config", "studies={own: {base: {epochs: 4}}}"
    (project / "wait").touch()
    for number in (signal.SIGHUP, signal.SIGTERM):
        workflow = started(project, *more, *TARGET)
        until(lambda: list(project.glob("results/.progress/*.json")))
        (progress,) = project.glob("results/.progress/*.json")
        trainer = json.loads(progress.read_text())["pid"]
        workflow.send_signal(number)
        assert workflow.wait(60) == 1
        assert "the same command continues" in (project / "output.txt").read_text()
        with pytest.raises(ProcessLookupError):
            os.kill(trainer, 0)
    (project / "wait").unlink()
    log = max(project.glob("results/logs/train/*.log"), key=lambda path: path.stat().st_mtime).read_text()
    assert "resumed after step" in log and log.count("stopped after step") == 1


def test_what_a_failing_job_leaves_out_is_named_and_no_mean_has_fewer_seeds_silently(project):
    """With -k the other jobs go on; the table that needs the failed run is not made."""
    table = project / "results" / "studies" / "own" / "table.md"
    table.unlink(missing_ok=True)
    edit(
        project, "src/pj/workflow/slots.py", "    devices = vis", "    _fail_for_a_test()\n    devices = vis"
    )
    with (project / "src" / "pj" / "workflow" / "slots.py").open("a") as file:
        file.write(
            "\n\ndef _fail_for_a_test():\n    if any('seed1' in str(a) for a in sys.modules['__main__']"
            ".snakemake.output):\n        raise OSError('a fault for the test')\n"
        )
    more = "--config", "seeds=[0, 1]"
    output = snakemake(project, "-k", *more, *TARGET, config=(), check=False)
    assert "a fault for the test" in output and not table.exists()
    states = {path.parent.name for path in project.glob("results/runs/*/seed*/run.json")}
    assert states == {"seed0"}
    config = (project / "config.yaml").read_text()
    (project / "config.yaml").write_text(config.replace("seeds: [0]", "seeds: [0, 1]"))
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    command = [sys.executable, "-m", "pj", "table", "own"]
    shown = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    (row,) = [line for line in shown.stdout.splitlines() if line.startswith("| a ")]
    assert "missing: seed 1" in row and "±" not in row
