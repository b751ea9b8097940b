"""What was kept is added to, never replaced by less."""

import json
import shutil
from pathlib import Path

import pytest

from helpers import results
from pj import config
from pj.claims import looks
from pj.claims.evidence import Evidence
from pj.config.analyses import ANALYSES
from pj.errors import UserError
from pj.report.figures import analyses, curves
from pj.report.pages.keep import keep
from pj.runs.records import write_json

RESULTS, KEPT = Path("results"), Path("kept")
OTHER = """  other:
    title: Other
    base: {data: {name: digits}, model: {name: mlp}, loss: {name: cross_entropy},
      optimizer: {name: sgd, lr: 0.3}, epochs: 2, batch_size: 10}
    variants: {slow: {}}
"""
PRUNING = """
prunings:
  p: {title: P, study: own, methods: {slow: [magnitude]}, settings: {layers: [linear1], percents: [0, 50]}}
"""


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Drawing takes half a second."""
    monkeypatch.setattr(curves, "write", lambda *_, **__: None)
    monkeypatch.setattr(analyses, "write", lambda *_, **__: None)


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
    assert made == json.loads((KEPT / "provenance.json").read_text())["made_with"]
    finish(project, "other", 1, processor="P")
    keep(project, RESULTS, KEPT)
    made = json.loads((KEPT / "provenance.json").read_text())["made_with"]
    assert {entry["processor"]: entry["studies"] for entry in made} == {
        "P": {"own": 4, "other": 1},
        "Q": {"other": 1},
    }


def test_the_same_runs_of_another_machine_do_not_replace_what_was_kept(project):
    finish(project, "own", 0, 1, processor="P")
    keep(project, RESULTS, KEPT)
    shutil.rmtree(RESULTS)
    finish(project, "own", 0, 1, processor="Q")
    with pytest.raises(
        UserError, match="study own: results has the same runs of another machine: digits-mlp"
    ):
        keep(project, RESULTS, KEPT)


def test_sizes_of_datasets_and_notes_stay_and_a_call_that_keeps_nothing_changes_nothing(project):
    finish(project, "own", 0)
    keep(project, RESULTS, KEPT, ["Said before."])
    provenance = KEPT / "provenance.json"
    assert json.loads(provenance.read_text())["images"]["digits"]["train"] == 1437
    content = json.loads(provenance.read_text())
    content["images"]["own-data"] = content["images"]["digits"]
    provenance.write_text(json.dumps(content))
    shutil.rmtree(RESULTS)
    before = provenance.read_bytes()
    assert keep(project, RESULTS, KEPT) == [] and provenance.read_bytes() == before
    finish(project, "other", 0)
    keep(project, RESULTS, KEPT, ["Said now."])
    content = json.loads(provenance.read_text())
    assert set(content["images"]) == {"digits", "own-data"}
    assert content["notes"] == ["Said before.", "Said now."]


def pruned(project, *seeds, percents=(0, 50)):
    """The project with a pruning of study ``own``, measured for some seeds of its first variant."""
    Path("config.yaml").write_text(results.CONFIG + OTHER + PRUNING.replace("[0, 50]", str(list(percents))))
    loaded = config.load("config.yaml")
    first = loaded.analysed("prunings", "p").variants[0]
    for seed in seeds:
        path = RESULTS / "prunings" / "p" / f"{first.spec.run}-seed{seed}.json"
        write_json(path, {"state": "diverged", "run": first.spec.run, "seed": seed})
    return loaded


def test_results_of_analyses_are_neither_lost_nor_mixed(project):
    loaded = pruned(project, 0, 1)
    finish(loaded, "own", 0, 1)
    keep(loaded, RESULTS, KEPT)
    shutil.rmtree(RESULTS / "prunings")
    pruned(project, 1)
    with pytest.raises(UserError, match="prunings/p: 1 finished run that results lacks: slow seed 0"):
        keep(loaded, RESULTS, KEPT)
    shutil.rmtree(RESULTS / "prunings")
    with pytest.raises(UserError, match="prunings/p: it was measured with other settings"):
        keep(pruned(project, percents=(0, 20)), RESULTS, KEPT)


def test_every_figure_of_a_measured_analysis_is_kept(project, monkeypatch):
    drawn = []
    monkeypatch.setattr(analyses, "write", lambda key, *rest: drawn.append((key, rest[-2])))
    loaded = pruned(project, 0)
    finish(loaded, "own", 0)
    keep(loaded, RESULTS, KEPT)
    assert drawn == [("prunings", figure) for figure in ANALYSES["prunings"].figures] != []


def test_the_place_of_a_users_own_data_is_not_kept_and_its_name_is(project, tmp_path):
    Path("own.yaml").write_text(f"datasets: {{mine: {{source: npz, path: {tmp_path}/private/birds.npz}}}}\n")
    loaded = config.load("config.yaml", "own.yaml")
    finish(loaded, "own", 0)
    keep(loaded, RESULTS, KEPT)
    text = (KEPT / "provenance.json").read_text()
    assert json.loads(text)["settings"]["datasets"]["mine"]["path"] == "birds.npz"
    assert str(tmp_path) not in text


def test_notes_about_runs_that_are_all_kept_again_are_those_of_now(project):
    finish(project, "own", 0)
    for note in ("Said before.", "Said now."):
        keep(project, RESULTS, KEPT, [note])
    assert json.loads((KEPT / "provenance.json").read_text())["notes"] == ["Said now."]


def test_a_title_and_a_further_variant_of_an_analysis_may_change(project):
    loaded = pruned(project, 0)
    finish(loaded, "own", 0)
    keep(loaded, RESULTS, KEPT)
    text = Path("config.yaml").read_text().replace("title: P,", "title: Pruned,")
    Path("config.yaml").write_text(
        text.replace("{slow: [magnitude]}", "{slow: [magnitude], fast_1.5: [random]}")
    )
    keep(config.load("config.yaml"), RESULTS, KEPT)
    assert "Pruned" in (KEPT / "provenance.json").read_text()


def test_an_analysis_does_not_stay_beside_other_runs_than_those_it_was_measured_of(project):
    loaded = pruned(project, 0)
    finish(loaded, "own", 0)
    keep(loaded, RESULTS, KEPT)
    shutil.rmtree(RESULTS / "prunings")
    keep(loaded, RESULTS, KEPT)  # of the same runs
    for path in RESULTS.glob("runs/*/seed0/evaluation.json"):
        write_json(path, json.loads(path.read_text()) | {"seconds": 99.0})
    with pytest.raises(UserError, match="prunings/p: its runs were trained again, and results has no"):
        keep(loaded, RESULTS, KEPT)


def test_runs_of_an_older_pj_are_not_counted_twice(project):
    finish(project, "own", 0, 1)
    keep(project, RESULTS, KEPT)
    path = KEPT / "provenance.json"
    content = json.loads(path.read_text())
    content["made_with"] = [{k: v for k, v in e.items() if k != "studies"} for e in content["made_with"]]
    path.write_text(json.dumps(content))
    finish(project, "other", 0)
    keep(project, RESULTS, KEPT)
    (made,) = json.loads(path.read_text())["made_with"]
    assert made["rows"] == 5 and made["studies"] == {"own": 4, "other": 1}


def test_a_damaged_list_of_looks_stops_before_anything_is_written(project):
    finish(project, "own", 0, 1)
    keep(project, RESULTS, KEPT)
    (KEPT / looks.FILE).write_text('{"looks": [1]}')
    before = {path: path.read_bytes() for path in KEPT.rglob("*") if path.is_file()}
    finish(project, "own", 2)
    with pytest.raises(UserError, match=r"looks.json is damaged"):
        keep(project, RESULTS, KEPT)
    assert {path: path.read_bytes() for path in KEPT.rglob("*") if path.is_file()} == before


def test_results_of_other_settings_are_not_mixed_into_a_folder(project):
    finish(project, "own", 0)
    keep(project, RESULTS, KEPT)
    Path("small.yaml").write_text("scale: {name: small, epochs: 1}\n")
    small = config.load("config.yaml", "small.yaml")
    finish(small, "other", 0)
    with pytest.raises(UserError, match="study own: it has runs of other settings or seeds: digits-mlp-"):
        keep(small, RESULTS, KEPT)
    shutil.rmtree(RESULTS)
    Path("config.yaml").write_text(results.CONFIG.replace("  own:", "  renamed:"))
    Path("claims.yaml").write_text("claims: []\n")
    with pytest.raises(UserError, match="study own: this configuration has no such study"):
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
