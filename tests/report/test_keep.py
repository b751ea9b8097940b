"""What was kept is added to, never replaced by less."""

import json
import shutil
from pathlib import Path

import pytest

from helpers import results
from pj import config
from pj.claims import looks
from pj.claims.evidence import Evidence
from pj.errors import UserError
from pj.report.pages.keep import keep

RESULTS, KEPT = Path("results"), Path("kept")
OTHER = """  other:
    title: Other
    base: {data: {name: digits}, model: {name: mlp}, loss: {name: cross_entropy},
      optimizer: {name: sgd, lr: 0.3}, epochs: 2, batch_size: 10}
    variants: {slow: {}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Studies ``own`` and ``other``; nothing is finished."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(results.CONFIG + OTHER)
    Path("claims.yaml").write_text(results.CLAIMS)
    return config.load("config.yaml")


def finish(project, study, *seeds, processor="P"):
    for variant in project.study(study).variants:
        for seed in seeds:
            results.write_run(RESULTS / "runs", variant, seed, 80.0 + seed)
            path = RESULTS / "runs" / variant.spec.run / f"seed{seed}" / "evaluation.json"
            content = json.loads(path.read_text())
            content["training"]["provenance"]["processor"] = processor
            path.write_text(json.dumps(content))


def finished(study):
    runs = Evidence(KEPT).runs(study)
    return sorted(set(runs.loc[runs["state"] == "complete", "seed"]))


def test_a_machine_that_was_lost_takes_nothing_with_it_that_was_kept(project):
    finish(project, "own", 0, 1)
    keep(project, RESULTS, KEPT)
    before = {path: path.read_bytes() for path in KEPT.rglob("*") if path.is_file()}
    shutil.rmtree(RESULTS)
    finish(project, "own", 2)
    with pytest.raises(
        UserError, match=r"study own: \d finished runs that results lacks: digits-mlp-\w+ seed 0"
    ):
        keep(project, RESULTS, KEPT)
    assert {path: path.read_bytes() for path in KEPT.rglob("*") if path.is_file()} == before
    finish(project, "own", 0, 1)
    keep(project, RESULTS, KEPT)
    assert finished("own") == [0, 1, 2]


def test_a_study_of_another_machine_is_added_to_what_was_kept_and_both_machines_are_named(project):
    finish(project, "own", 0, 1, processor="P")
    keep(project, RESULTS, KEPT)
    shutil.rmtree(RESULTS)
    finish(project, "other", 0, processor="Q")
    assert keep(project, RESULTS, KEPT) == ["other"]
    assert finished("own") == [0, 1] and finished("other") == [0]
    made = json.loads((KEPT / "provenance.json").read_text())["made_with"]
    assert sorted((entry["processor"], entry["rows"]) for entry in made) == [("P", 4), ("Q", 1)]
    keep(project, RESULTS, KEPT)  # again: nothing is listed twice
    assert len(json.loads((KEPT / "provenance.json").read_text())["made_with"]) == 2


def test_results_of_other_settings_are_not_mixed_into_a_folder(project):
    finish(project, "own", 0)
    keep(project, RESULTS, KEPT)
    Path("small.yaml").write_text("scale: {name: small, epochs: 1}\n")
    small = config.load("config.yaml", "small.yaml")
    finish(small, "other", 0)
    with pytest.raises(UserError, match="study own: of other settings or seeds, such as digits-mlp-"):
        keep(small, RESULTS, KEPT)
    shutil.rmtree(RESULTS)
    Path("config.yaml").write_text(results.CONFIG.replace("  own:", "  renamed:"))
    Path("claims.yaml").write_text("claims: []\n")
    with pytest.raises(UserError, match="study own: this configuration has none of this name"):
        keep(config.load("config.yaml"), RESULTS, KEPT)


def test_looks_that_were_noted_before_stay_noted(project):
    finish(project, "own", 0, 1)
    keep(project, RESULTS, KEPT)
    assert len(looks.read(KEPT)) == 1
    shutil.rmtree(RESULTS)
    finish(project, "own", 0, 1, 2)
    keep(project, RESULTS, KEPT)
    seeds = [next(iter(look["own"].values())).seeds for look in looks.read(KEPT)]
    assert seeds == [{0, 1}, {0, 1, 2}]
