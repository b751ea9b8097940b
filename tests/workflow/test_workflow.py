"""Snakemake for real: a small project from an empty folder to its report, and what edits schedule."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.project import PROBED, copy, edit, planned, snakemake

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
        assert "digits, test scale" in (folder / "table.md").read_text()
        assert {p.name for p in folder.iterdir()} == {
            "table.md", "table.csv", "table.tex", "table.json", "runs.csv", "curves.png", "curves.svg",
        }  # fmt: skip
    runs = [p.parent.parent.name for p in finished.glob("results/runs/*/seed0/evaluation.json")]
    assert len(runs) == 3  # mlp; cnn, which serves both studies; cnn with dropout2d
    assert not list(finished.glob("results/.resume/*"))


def test_a_finished_project_has_nothing_to_do(project):
    assert scheduled(project) == {}


def test_editing_one_models_code_schedules_its_runs_and_what_depends_on_them(project):
    edit(project, "src/pj/models/mlp.py", "HIDDEN = 1024", "HIDDEN = 1000")
    assert scheduled(project) == {"train": 1, "evaluate": 1, "tables": 1, "figures": 1}


@pytest.mark.parametrize(
    "file",
    ["src/pj/models/blocks.py", "src/pj/training/loop.py", "workflow/scripts/train.py", "rules/train.smk"],
)
def test_editing_a_comment_schedules_nothing(project, file):
    path = project / file
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
    for file in next(project.glob("results/runs/digits-mlp-*/seed0")).iterdir():
        if file.name not in left:
            file.unlink()
    shutil.rmtree(project / "results" / "studies" / "mlp_cnn")


@pytest.mark.parametrize("left", [["checkpoint.pt"], ["checkpoint.pt", "metrics.csv"], ["run.json"]])
def test_a_half_written_run_folder_is_trained_again(project, left):
    cut_off(project, left)
    assert scheduled(project) == {"train": 1, "evaluate": 1, "tables": 1, "figures": 1}


def test_a_job_of_a_broken_record_ends_with_one_clear_message(project):
    record = next(project.glob("results/runs/digits-mlp-*/seed0/run.json"))
    record.write_text("{")
    output = snakemake(project, "--", *targets(["mlp_cnn"]), check=False)
    assert "run.json cannot be read" in output
    assert "train again" in output
    assert "Traceback" not in output.split("run.json cannot be read")[1].split("\n")[0]


def test_a_killed_training_job_leaves_nothing_lost(project):
    """A resume state of the same code is found by the next call, and the run it gives is complete."""
    record = next(project.glob("results/runs/digits-mlp-*/seed0/run.json"))
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
        "loop.train(RunSpec.from_json(spec), 0, Path('results/data/digits.npz'), Path('x'),"
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


OWN = """
seeds: [0, 1]
threads: 1
datasets:
  flowers: {source: npz, path: flowers.npz, classes: 3}
studies:
  own:
    title: Two rates
    report: a paper
    compare: selected
    reference: slow
    base:
      data: {name: flowers, validation: 6}
      model: {name: mlp, width: 0.01}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.01}
      select: best_validation
      epochs: 2
      batch_size: 8
    variants:
      slow: {reported: {test: 40.0}}
      fast: {optimizer: {lr: 0.1}}
"""
OVERRIDE = ("--config", "studies={own: {base: {epochs: 3, optimizer: {lr: 2e-2}}}}")


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """Somebody's own study of their own images, run whole, with an override on the command line."""
    project = copy(tmp_path_factory.mktemp("own"))
    (project / "config.yaml").write_text(OWN)
    draw = np.random.default_rng(0)
    images = {f"x_{part}": draw.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8) for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(30) % 3 for part in ("train", "test")}
    np.savez(project / "flowers.npz", **images, **labels)
    snakemake(project, *OVERRIDE, config=())
    return project


def test_ones_own_study_of_ones_own_images_becomes_a_report(own):
    text = (own / "results" / "report.md").read_text()
    for part in ("## Two rates", "flowers, full scale", "studies/own/curves.png", "## train() and eval()"):
        assert part in text
    rows = [line for line in text.splitlines() if line.startswith(("| slow", "| fast"))]
    assert all("±" in row for row in rows) and "40.00" in rows[0]
    modes = (own / "results" / "modes" / "table.md").read_text()
    assert re.findall(r"\| (yes|no) +\|", modes) == ["yes"] * 11
    assert not (own / "results" / ".resume").exists() or not any((own / "results" / ".resume").iterdir())


def test_nested_overrides_on_the_command_line_reach_the_runs(own):
    specs = [json.loads(p.read_text())["spec"] for p in own.glob("results/runs/flowers-*/seed*/run.json")]
    assert len(specs) == 4
    assert {s["epochs"] for s in specs} == {3}
    assert {s["optimizer"]["lr"] for s in specs} == {0.02, 0.1}


def test_new_images_in_a_users_file_train_everything_on_them_again(own, tmp_path):
    project = Path(shutil.copytree(own, tmp_path / "project"))
    assert "Nothing to be done" in snakemake(project, "-n", *OVERRIDE, config=())
    with np.load(project / "flowers.npz") as archive:
        arrays = dict(archive)
    arrays["x_train"] = 255 - arrays["x_train"]
    np.savez(project / "flowers.npz", **arrays)
    jobs = planned(snakemake(project, "-n", *OVERRIDE, config=()))
    assert jobs["prepare_data"] == 1 and jobs["train"] == 4


def test_a_study_run_by_itself_is_in_the_next_report(own, tmp_path):
    """As one call of the full job, though figures are due too."""
    project = Path(shutil.copytree(own, tmp_path / "project"))
    (project / "more.yaml").write_text("studies: {own: {variants: {third: {optimizer: {lr: 0.5}}}}}")
    snakemake(project, *OVERRIDE, "--", "results/studies/own/table.md", config=("more.yaml",))
    snakemake(project, *OVERRIDE, config=("more.yaml",))
    assert "| third" in (project / "results" / "report.md").read_text()
    assert "Nothing to be done" in snakemake(project, "-n", *OVERRIDE, config=("more.yaml",))


@pytest.mark.long
def test_a_long_run_goes_through_in_pieces_that_snakemake_retries(own, tmp_path):
    """Time is up after every 50 of 150 steps, whatever the machine's speed."""
    project = Path(shutil.copytree(own, tmp_path / "project"))
    up = "math.isfinite(deadline) and training.steps_done % 50 == 0"
    edit(project, "src/pj/training/loop.py", "now > deadline", up)
    output = snakemake(
        *(project, "--retries", "5", "--config", "studies={own: {base: {epochs: 50}}}", "seeds=[0]"),
        *("max_seconds=60", "--", "results/studies/own/table.md"),
        config=(),
    )
    assert "Trying to restart job" in output
    records = [json.loads(p.read_text()) for p in project.glob("results/runs/flowers-*/seed0/run.json")]
    pieces = [r["resumed_at_steps"] for r in records if r["spec"]["epochs"] == 50]
    assert pieces == [[50, 100, 150], [50, 100, 150]]
    assert all(r["state"] == "complete" for r in records)


def test_a_scorecard_asks_for_the_studies_of_its_claims_and_no_others(own, tmp_path):
    project = Path(shutil.copytree(own, tmp_path / "project"))
    (project / "mine.yaml").write_text(
        "claims: [{id: 1, report: a paper, statement: fast is better, statistic: contrast,"
        " contrast: {own/fast: 1, own/slow: -1}, quantity: selected, expect: above}]"
    )
    base = OWN[OWN.index("    base:") : OWN.index("    variants:")]
    (project / "more.yaml").write_text(
        "claims: mine.yaml\nstudies:\n  other:\n    title: Another\n"
        f"{base}    variants: {{a: {{epochs: 9}}}}\n"
    )
    snakemake(project, *OVERRIDE, "--", "results/claims.md", config=("more.yaml",))
    assert "fast is better" in (project / "results" / "claims.md").read_text()
    assert not (project / "results" / "studies" / "other").exists()


def test_new_figures_do_not_write_the_page_again(own, tmp_path):
    project = Path(shutil.copytree(own, tmp_path / "project"))
    edit(project, "src/pj/report/figures/style.py", "LOG_SPREAD = 50", "LOG_SPREAD = 40")
    jobs = planned(snakemake(project, "-n", *OVERRIDE, config=()))
    assert jobs["figures"] == 1 and not jobs.keys() & {"report", "train", "evaluate", "tables"}


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


@pytest.fixture(scope="module")
def probed(tmp_path_factory) -> Path:
    """Studies of probed runs and of DessiLBI, the landscape of some and the pruning of others, run whole."""
    project = copy(tmp_path_factory.mktemp("probed"))
    (project / "config.yaml").write_text(PROBED)
    snakemake(project, config=())
    return project


def jobs(project: Path) -> set[str]:
    """Return the rules of which a dry run of everything would start jobs."""
    return set(planned(snakemake(project, "-n", config=())))


def test_analyses_of_runs_become_tables_and_figures_in_the_report(probed):
    study = probed / "results" / "studies" / "probed"
    for name in ("probes.csv", "probes_table.csv", "probes_table.md", "probes.png", "probes.svg"):
        assert (study / name).stat().st_size > 0
    landscape = probed / "results" / "landscapes" / "both"
    assert len(list(landscape.glob("*-seed*.json"))) == 4
    page = (probed / "results" / "report.md").read_text()
    for part in (
        "studies/probed/probes.png",
        "effective beta",
        "landscapes/both/landscape.png",
        "## Loss landscape of finished networks",
    ):
        assert part in page
    for name in ("path.png", "path.svg", "weights.png"):
        assert (probed / "results" / "studies" / "selected" / name).stat().st_size > 0
    pruned = (probed / "results" / "prunings" / "conv3" / "table.md").read_text()
    assert "path, last selected first" in pruned and "rival, at random" in pruned
    assert "prunings/conv3/pruning.png" in page and "studies/selected/path.png" in page
    inside = probed / "results" / "interpretations" / "inside"
    assert {p.name for p in inside.iterdir()} >= {
        "table.md",
        "table.csv",
        "image.png",
        "sheet.png",
        "tests.png",
    }
    assert "interpretations/inside/sheet.png" in page and "Grad-CAM at" in page
    with_probes = {p.parent.parent.name for p in probed.glob("results/runs/*/seed0/probes.csv")}
    assert len(with_probes) == 2 and len(list(probed.glob("results/runs/*/seed0/run.json"))) == 5
    assert jobs(probed) == set()


PAGES = {"report", "page"}  # the scorecard of no claims asks for nothing
DOWNSTREAM = {"evaluate", "tables", "figures", "probes", "probe_figures", *PAGES}
OF_ANALYSES = {"measure", "analysis_table", "analysis_figure", *PAGES}
OF_DESSILBI = {"train", "evaluate", "tables", "figures", "paths", *OF_ANALYSES}


@pytest.mark.parametrize(
    ("file", "old", "new", "wanted"),
    [
        ("src/pj/landscape/surface.py", "TOLERANCE = 1e-3", "TOLERANCE = 1e-4", OF_ANALYSES),
        (
            "src/pj/training/probing.py",
            "step % self",
            "(step + 1) % self",
            {"train_probed", *DOWNSTREAM, *OF_ANALYSES},
        ),
        ("src/pj/report/tables/probes.py", '"effective beta"', '"beta"', {"probes", "probe_figures", *PAGES}),
        ("src/pj/report/figures/probes.py", '"without"', '"plain"', {"probe_figures", "page"}),
        ("src/pj/pruning/networks.py", "percent / 100", "percent / 101", OF_ANALYSES),
        ("src/pj/report/figures/paths.py", "> 1e-3", "> 1e-4", {"paths", "page"}),
        ("src/pj/optim/dessilbi.py", '"conv": 1.0', '"conv": 2.0', OF_DESSILBI),
        ("src/pj/claims/verdicts.py", "ALPHA = 0.05", "ALPHA = 0.01", {"scorecard", *PAGES}),
        ("src/pj/report/text/caveats.py", "FEW = 5", "FEW = 6", PAGES),
        ("src/pj/interpret/sanity.py", "ranks < share", "ranks <= share", OF_ANALYSES),
        (
            "src/pj/report/figures/interpret.py",
            'colors="white"',
            'colors="red"',
            {"analysis_figure", "page"},
        ),
        ("src/pj/report/figures/landscape.py", '"Greys"', '"Blues"', {"analysis_figure", "page"}),
    ],
)
def test_editing_an_analysis_runs_what_uses_it(probed, tmp_path, file, old, new, wanted):
    project = Path(shutil.copytree(probed, tmp_path / "project"))
    edit(project, file, old, new)
    assert jobs(project) == wanted
