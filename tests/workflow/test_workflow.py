"""Snakemake for real: a small project from an empty folder to its report, and what edits schedule."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.project import copy, edit, planned, snakemake

pytestmark = pytest.mark.workflow
STUDIES = ("mlp_cnn", "dropout2d")


def targets(studies=STUDIES):
    return [f"results/studies/{s}/{f}" for s in studies for f in ("table.md", "curves.png")]


def scheduled(project: Path, *, config=("config.smoke.yaml", "small.yaml")) -> dict[str, int]:
    """Return how many jobs of each rule a dry run would start."""
    return planned(snakemake(project, "-n", "--", *targets(), config=config))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A project whose two studies have been run."""
    project = copy(tmp_path_factory.mktemp("project"))
    snakemake(project, "--", *targets())
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project, times and all, to edit."""
    return Path(shutil.copytree(finished, tmp_path / "project"))


def test_from_an_empty_folder_to_tables_and_figures(finished):
    for study in STUDIES:
        folder = finished / "results" / "studies" / study
        assert "digits32, test scale" in (folder / "table.md").read_text()
        assert {p.name for p in folder.iterdir()} == {
            "table.md", "table.csv", "table.tex", "table.json", "runs.csv", "curves.png", "curves.svg",
            "classes.md", "classes.csv", "classes.tex", "classes.json",
        }  # fmt: skip
    runs = [p.parent.parent.name for p in finished.glob("results/runs/*/seed0/evaluation.json")]
    assert len(runs) == 3  # mlp; cnn, which serves both studies; cnn with dropout2d
    assert not list(finished.glob("results/.resume/*"))


def test_a_finished_project_has_nothing_to_do(project):
    assert scheduled(project) == {}


def test_editing_one_models_code_schedules_its_runs_and_what_depends_on_them(project):
    edit(project, "src/pj/models/mlp.py", "HIDDEN = 1024", "HIDDEN = 1000")
    assert scheduled(project) == {"train": 1, "evaluate": 1, "tables": 1, "figures": 1}


def test_what_snakemake_has_forgotten_the_records_still_know(project):
    """Such as after .snakemake was deleted, or runs were copied from another clone."""
    shutil.rmtree(project / ".snakemake")
    made_again = {"tables": 2, "figures": 2}  # in seconds: nobody knows by which code they were made
    assert scheduled(project) == made_again
    edit(project, "src/pj/runs/evaluation.py", "FAST = 70.0", "FAST = 71.0")
    assert scheduled(project) == {"evaluate": 3, **made_again}
    edit(project, "src/pj/runs/evaluation.py", "FAST = 71.0", "FAST = 70.0")
    edit(project, "src/pj/models/mlp.py", "HIDDEN = 1024", "HIDDEN = 1000")
    assert scheduled(project) == {"train": 1, "evaluate": 1, **made_again}
    edit(project, "src/pj/models/mlp.py", "HIDDEN = 1000", "HIDDEN = 1024")
    assert scheduled(project) == made_again


def test_editing_comments_schedules_nothing(project):
    scripts = ("src/pj/models/blocks.py", "src/pj/training/loop.py", "workflow/scripts/train.py")
    for path in (project / file for file in (*scripts, "rules/train.smk")):
        path.write_text("# a comment\n" + path.read_text() + "# another\n")
    assert scheduled(project) == {}


def test_editing_the_figures_code_draws_figures_only(project):
    edit(project, "src/pj/report/figures/style.py", "LOG_SPREAD = 50", "LOG_SPREAD = 40")
    assert scheduled(project) == {"figures": 2}


def test_editing_the_tables_code_writes_tables_only(project):
    edit(project, "src/pj/report/tables/studies.py", "test (%), last epoch", "test (%), at the end")
    assert scheduled(project) == {"tables": 2}


def test_changing_one_variants_hyperparameter_trains_that_variant_only(project):
    (project / "change.yaml").write_text(
        "studies: {dropout2d: {variants: {dropout2d: {model: {dropout: 0.2}}}}}"
    )
    config = ("config.smoke.yaml", "small.yaml", "change.yaml")
    assert scheduled(project, config=config) == {"train": 1, "evaluate": 1, "tables": 1, "figures": 1}


def test_a_new_model_in_the_registry_schedules_nothing(project):
    edit(project, "src/pj/models/__init__.py", "REGISTRY = {", 'REGISTRY = {"new": "pj.models.mlp:MLP",')
    assert scheduled(project) == {}


def test_a_new_seed_trains_that_seed_only(project):
    (project / "change.yaml").write_text("studies: {mlp_cnn: {seeds: [0, 1]}}")
    config = ("config.smoke.yaml", "small.yaml", "change.yaml")
    assert scheduled(project, config=config) == {"train": 2, "evaluate": 2, "tables": 1, "figures": 1}


def cut_off(project: Path, left: list[str]) -> None:
    """Leave the mlp's run as a crash would: only some of its files, and no table yet."""
    for file in next(project.glob("results/runs/digits32-mlp-*/seed0")).iterdir():
        if file.name not in left:
            file.unlink()
    shutil.rmtree(project / "results" / "studies" / "mlp_cnn")


@pytest.mark.parametrize("left", [["checkpoint.pt"], ["checkpoint.pt", "metrics.csv"], ["run.json"]])
def test_a_half_written_run_folder_is_trained_again(project, left):
    cut_off(project, left)
    assert scheduled(project) == {"train": 1, "evaluate": 1, "tables": 1, "figures": 1}


def test_a_job_of_a_broken_record_ends_with_one_clear_message(project):
    record = next(project.glob("results/runs/digits32-mlp-*/seed0/run.json"))
    record.write_text("{")
    output = snakemake(project, "--", *targets(["mlp_cnn"]), check=False)
    assert "run.json cannot be read" in output
    assert "delete" in output and "makes it again" in output
    assert "Traceback" not in output.split("run.json cannot be read")[1].split("\n")[0]


def test_a_killed_training_job_leaves_nothing_lost(project):
    """A resume state of the same code is found by the next call, and the run it gives is complete."""
    record = next(project.glob("results/runs/digits32-mlp-*/seed0/run.json"))
    content = json.loads(record.read_text())
    code = (
        "import sys; from pathlib import Path\n"
        "from pj.config.spec import RunSpec; from pj.training import loop\n"
        "spec, code, resume = sys.argv[1:]\n"
        "step = loop.Training.train_step\n"
        "def die(self):\n"
        "    if self.steps_done == 1: raise SystemExit(9)\n"
        "    step(self)\n"
        "loop.Training.train_step = die\n"
        "loop.train(RunSpec.from_json(spec), 0, Path('results/data/digits32.npz'), Path('x'),"
        " code=code, resume=Path(resume), save_every=0)"
    )
    name = record.parent.parent.name
    resume = f"results/.resume/{name}-{content['code']}/seed0"
    spec = json.dumps(content["spec"], sort_keys=True)
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    command = [sys.executable, "-c", code, spec, content["code"], resume]
    assert subprocess.run(command, cwd=project, env=environment, check=False).returncode == 9
    cut_off(project, left=[])
    snakemake(project, "--", *targets(["mlp_cnn"]))
    assert json.loads(record.read_text())["resumed_at_steps"] == [1]


def test_config_faults_end_the_workflow_before_any_job(project):
    (project / "wrong.yaml").write_text("seeds: [0.5]\nstudies: {loss: {base: {optimizer: {lr: 1e-3}}}}")
    output = snakemake(project, "-n", config=("wrong.yaml",), check=False)
    assert "2 faults in the configuration" in output
    assert "seeds.0: 0.5" in output and "write 0.001" in output
    assert "Traceback" not in output


def test_a_profile_that_is_not_there_ends_the_workflow_before_any_job(project):
    output = snakemake(project, "-n", "--workflow-profile", "profiles/slrum", check=False)
    assert "this profile does not exist; available: profiles/default, profiles/slurm" in output
    assert "Traceback" not in output


def test_a_slurm_that_does_not_answer_ends_the_workflow_before_any_job(project, tmp_path, monkeypatch):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    for program in ("sinfo", "squeue", "sacct", "sbatch"):  # the plugin looks for them before our own check
        path = tmp_path / "bin" / program
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\necho Unable to contact slurm controller >&2\nexit 1\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    output = snakemake(project, "--workflow-profile", "profiles/slurm", "--forceall", check=False)
    assert "SLURM does not answer (Unable to contact slurm controller); nothing was submitted" in output
    assert "Traceback" not in output and "rule train:" not in output


def test_source_that_is_edited_while_a_run_loads_it_ends_the_run_with_a_message(project):
    """A network's module edits itself when it is imported, after the record's fingerprint was taken."""
    itself = (
        "import pathlib\nwith pathlib.Path(__file__).open('a') as file:\n    file.write('X = 1\\n')\n\nHIDDEN"
    )
    edit(project, "src/pj/models/mlp.py", "HIDDEN", itself)
    output = snakemake(project, "--", *targets(["mlp_cnn"]), check=False)
    assert "source was edited while this run was loading it" in output
    (log,) = (p for p in project.glob("results/logs/train/*.log") if "was loading it" in p.read_text())
    assert not (project / "results" / "runs" / log.stem.replace("-seed", "/seed") / "run.json").exists()


def test_another_device_or_archive_folder_is_no_reason_to_run_again(project):
    output = snakemake(project, "-n", "--config", "device=cpu", "--", *targets())
    assert "Nothing to be done" in output


def test_results_that_cannot_be_written_are_reported_before_any_job(project):
    shutil.rmtree(project / "results")
    (project / "results").write_text("a file where the folder should be")
    output = snakemake(project, "-n", check=False)
    assert "results is a file, not a folder" in output
    assert "Traceback" not in output


def test_the_full_job_of_five_seeds_is_planned_from_config_alone(project):
    jobs = planned(snakemake(project, "-n", "--quiet", "rules", config=("config.yaml",)))
    assert jobs["train"] == 439  # 87 runs of 5 seeds, and 4 of one
    assert jobs["train_probed"] == 120 and jobs["report"] == 1
