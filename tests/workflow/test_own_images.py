"""A study of one's own images and network: run whole, changed on the command line, and asked for in part."""

import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from helpers import own_code
from helpers.project import copy, edit, planned, snakemake

pytestmark = pytest.mark.workflow

OWN = """
seeds: [0]
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
      model: {class: "my_nets.py:TinyNet", options: {hidden: 4}}
      loss: {class: "my_nets.py:focal"}
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
    """Somebody's study of their own images and network, run whole, with an override on the command line."""
    project = copy(tmp_path_factory.mktemp("own"))
    own_code.write(project)
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
    assert rows and "40.00" in rows[0]
    modes = (own / "results" / "modes" / "table.md").read_text()
    assert re.findall(r"\| (yes|no) +\|", modes) == ["yes"] * 11
    assert not (own / "results" / ".resume").exists() or not any((own / "results" / ".resume").iterdir())


def test_nested_overrides_on_the_command_line_reach_the_runs(own):
    specs = [json.loads(p.read_text())["spec"] for p in own.glob("results/runs/flowers-*/seed*/run.json")]
    assert len(specs) == 2
    assert {s["epochs"] for s in specs} == {3}
    assert {s["optimizer"]["lr"] for s in specs} == {0.02, 0.1}


def test_ones_own_network_and_loss_are_tried_once_and_trained_again_when_a_file_of_them_is_edited(
    own, tmp_path
):
    checks = list((own / "results" / "networks").glob("*.json"))
    assert len(checks) == 2  # for two variants
    assert all(json.loads(p.read_text())["layers"] == ["conv1", "conv2", "linear1"] for p in checks)
    project = Path(shutil.copytree(own, tmp_path / "project"))
    edit(project, "parts.py", "padding=1", "padding=1, bias=False")
    jobs = planned(snakemake(project, "-n", *OVERRIDE, config=()))
    assert (jobs["network"], jobs["train"], jobs["evaluate"]) == (2, 2, 2) and "prepare_data" not in jobs


def test_runs_record_the_file_their_data_came_from(own):
    about = json.loads((own / "results" / "data" / "flowers.json").read_text())
    assert about["source"]["path"] == "flowers.npz" and about["content"]
    for path in own.glob("results/runs/flowers-*/seed*/run.json"):
        assert json.loads(path.read_text())["data_made_from"] == {k: about[k] for k in ("source", "content")}


def test_new_images_in_a_users_file_train_everything_on_them_again(own, tmp_path):
    project = Path(shutil.copytree(own, tmp_path / "project"))
    assert "Nothing to be done" in snakemake(project, "-n", *OVERRIDE, config=())
    with np.load(project / "flowers.npz") as archive:
        arrays = dict(archive)
    arrays["x_train"] = 255 - arrays["x_train"]
    np.savez(project / "flowers.npz", **arrays)
    jobs = planned(snakemake(project, "-n", *OVERRIDE, config=()))
    assert jobs["prepare_data"] == 1 and jobs["train"] == 2


def test_a_new_date_of_a_users_file_or_of_the_prepared_data_runs_nothing_again(own, tmp_path):
    project = Path(shutil.copytree(own, tmp_path / "project"))
    (project / "flowers.npz").touch()
    soon = time.time() + 1e6
    os.utime(project / "results" / "data" / "flowers.npz", (soon, soon))
    assert "Nothing to be done" in snakemake(project, "-n", *OVERRIDE, config=())


@pytest.mark.long
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
