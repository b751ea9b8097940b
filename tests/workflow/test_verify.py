"""Finished runs that other code or data made than today's: found by their records, and trained again."""

import json
import os
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest

from helpers.project import OWN, PROBED
from pj import cli, files
from pj.cli.common import RESULTS
from pj.config import loading
from pj.report.tables import probes, studies
from pj.report.text.sheet import Sheet
from pj.runs import records
from pj.runs.evaluation import evaluate
from pj.training import loop
from pj.workflow import dates, derived, verify, watched


@pytest.fixture(scope="module")
def made(digits, tmp_path_factory):
    """A folder whose two runs have been trained, evaluated and put into a table."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "config.yaml").write_text(OWN)
    config = loading.load(folder / "config.yaml")
    ((name, run),) = config.runs().items()
    for seed in run.seeds:
        own = folder / "results" / "runs" / name / f"seed{seed}"
        loop.train(run.spec, seed, digits, own, code=verify.code_of(run.spec))
        evaluate(own, digits, own / records.EVALUATION, code=derived.code("evaluate.py", run.spec))
    studies.write(config.study("own"), folder / "results" / "runs", folder / "results" / "studies" / "own")
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "p")
    monkeypatch.chdir(tmp_path / "p")
    return loading.load("config.yaml")


def found(project):
    return list(verify.findings(project, RESULTS))


def seed(project, number=0):
    ((name, _),) = project.runs().items()
    return RESULTS / "runs" / name / f"seed{number}"


def edited(path, **changes):
    content = json.loads(path.read_text())
    del content[records.SUM]
    records.write_json(path, content | changes)


def test_what_is_as_it_was_made_has_no_findings(project, capsys):
    assert found(project) == []
    assert cli.main(["verify"]) == 0
    assert capsys.readouterr().out == "2 finished runs: all as their records say\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda own: edited(own / "run.json", code="0" * 16), "trained by other code than today's"),
        (lambda own: (own / "metrics.csv").write_text("epoch\n1\n"), "metrics.csv is not the file that"),
        (lambda own: (own / "checkpoint.pt").write_bytes(b"x"), "checkpoint.pt is not the checkpoint that"),
        (
            lambda own: (own / "evaluation.json").write_text(
                (own / "evaluation.json").read_text().replace('"loss"', '"lost"', 1)
            ),
            "evaluation.json was changed after it was written",
        ),
        (
            lambda own: edited(own / "evaluation.json", made={"code": "0" * 16}),
            "evaluation.json: made by other code, of other weights or with other settings than today's",
        ),
        (lambda own: (own / "run.json").unlink(), "seed0: not finished"),
        (lambda own: table_of(own, "runs.csv").write_text("edited\n"), "runs.csv: not what its runs give"),
        (lambda own: table_of(own, "classes.md").unlink(), "classes.md: missing; the workflow makes it"),
        (
            lambda own: table_of(own, "table.md").write_text(table_of(own, "table.md").read_text() + "|"),
            "table.md: not what its runs give",
        ),
        (
            lambda own: table_of(own, "runs.csv").write_text(
                table_of(own, "runs.csv").read_text().rpartition("own,")[0]
            ),
            "studies/own: made with other variants or seeds",
        ),
        (
            lambda own: table_of(own, "sweep.png").touch(),
            "own/sweep.png: made with former settings; `pj clean --delete`",
        ),
        (
            lambda own: files_of_data(own.parents[2] / "data", sha256="another"),
            "trained on other data than there are now",
        ),
    ],
)
def test_what_was_damaged_edited_or_outdated_is_named_and_the_exit_status_says_so(
    change, said, project, capsys
):
    change(seed(project))
    assert any(said in line for line in found(project))
    assert cli.main(["verify"]) == 1
    assert said in capsys.readouterr().out


def table_of(own, name):
    return own.parents[2] / "studies" / "own" / name


def files_of_data(folder, **content):
    folder.mkdir()
    (folder / "digits.json").write_text(json.dumps(content))


def test_runs_that_the_configuration_does_not_name_are_one_finding_and_damage_of_theirs_another(
    project, capsys
):
    shutil.rmtree(RESULTS / "studies")
    own, config = seed(project), RESULTS.parent / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 1", "epochs: 2"))
    assert cli.main(["verify"]) == 1
    said = capsys.readouterr().out
    assert f"finished runs that this configuration does not name: 2, such as {own}" in said
    assert "2 finished runs: 1 finding" in said
    shutil.copytree(own, RESULTS / "runs" / "other-mlp-00000000" / "seed0")
    assert cli.main(["verify"]) == 1
    assert "it was copied to a wrong place" in capsys.readouterr().out


def test_runs_of_a_second_configuration_that_is_named_are_no_finding(project):
    Path("first.yaml").write_text(Path("config.yaml").read_text())
    shutil.rmtree(RESULTS / "studies")
    Path("config.yaml").write_text(Path("config.yaml").read_text().replace("epochs: 1", "epochs: 2"))
    assert cli.main(["verify"]) == 1
    assert cli.main(["verify", "--also", "first.yaml"]) == 0


@pytest.mark.parametrize("name", [records.STEPS, records.PROBES, records.SHIFTS])
def test_each_table_that_a_run_records_is_compared_with_its_sum(name, project):
    own = seed(project)
    (own / name).write_text("step,loss\n1,0.5\n")
    sums = json.loads((own / records.RUN).read_text())["files"]
    edited(own / records.RUN, files=sums | {name: files.sha256(own / name)})
    assert not found(project)
    (own / name).write_text("step,loss\n1,0.4\n")
    (line,) = found(project)
    assert line.startswith(f"{own / name} is not the file that")


def test_classes_that_have_other_names_today_are_a_finding(project):
    names = json.loads((seed(project) / records.EVALUATION).read_text())["classes"]
    sha256 = json.loads((seed(project) / records.RUN).read_text())["data_sha256"]
    files_of_data(RESULTS / "data", sha256=sha256, classes=names)
    assert found(project) == []
    (RESULTS / "data" / "digits.json").write_text(json.dumps({"sha256": sha256, "classes": names[::-1]}))
    assert [line for line in found(project) if "its classes had other names" in line]


def test_files_that_changed_are_a_finding_though_the_prepared_data_were_deleted(project, monkeypatch):
    made = {"source": {"source": "digits"}, "content": "before"}
    edited(seed(project) / records.RUN, **{records.MADE_FROM: made})
    monkeypatch.setattr(watched, "content", lambda source, folder: "before")
    assert not any("on other data" in line for line in found(project))
    monkeypatch.setattr(watched, "content", lambda source, folder: "now")
    assert any("on other data" in line for line in found(project))


def test_a_table_says_how_many_of_its_runs_are_outdated(project, capsys):
    edited(seed(project) / "run.json", code="0" * 16)
    assert cli.main(["table", "own"]) == 0
    assert "**1 run was trained by other code than today's**: `pj verify` lists" in capsys.readouterr().out


def test_an_outdated_run_is_dated_before_its_data_and_back_when_the_edit_is_undone(project, monkeypatch):
    before = {path: path.stat().st_mtime for path in RESULTS.rglob("*") if path.is_file()}
    verify.mark(project.runs(), RESULTS)
    assert {path: path.stat().st_mtime for path in before} == before
    with monkeypatch.context() as patch:
        patch.setattr(verify, "code_of", lambda spec: "0" * 16)
        for _ in range(2):  # once is enough
            verify.mark(project.runs(), RESULTS)
            for path in before:
                outdated = path.parent.name.startswith("seed") and path.name != records.EVALUATION
                assert (path.stat().st_mtime < dates.OLD) == outdated
    verify.mark(project.runs(), RESULTS)
    assert {path: path.stat().st_mtime for path in before} == pytest.approx(before)


def test_a_run_that_was_touched_is_dated_back_again(project, monkeypatch):
    monkeypatch.setattr(verify, "code_of", lambda spec: "0" * 16)
    verify.mark(project.runs(), RESULTS)
    for path in seed(project).iterdir():
        os.utime(path)
    verify.mark(project.runs(), RESULTS)
    assert (seed(project) / "run.json").stat().st_mtime < dates.OLD


def test_dates_in_the_future_are_of_a_clock_that_was_wrong(project):
    """Snakemake deletes what it makes of an input that is dated later, and a table so dated is never old."""
    derived.NOTES.mkdir(parents=True)
    (derived.NOTES / "one").touch()
    now = time.time()
    for path in RESULTS.rglob("*.*"):
        os.utime(path, (now + 1e6, now + 1e6))
    verify.mark(project.runs(), RESULTS)
    derived.mark(project, RESULTS)
    derived.date_back(project, RESULTS)
    run = {path.name: path.stat().st_mtime for path in seed(project).iterdir()}
    assert max(run.values()) <= time.time() and run["evaluation.json"] >= run["run.json"] >= now
    assert (RESULTS / "studies" / "own" / "table.md").stat().st_mtime < dates.OLD


def test_a_copied_evaluation_that_fits_its_run_is_not_older_and_an_outdated_one_is(project):
    own = seed(project)
    path, record = own / "evaluation.json", own / "run.json"
    content = json.loads(path.read_text())
    now = record.stat().st_mtime
    os.utime(path, (now - 60, now - 60))  # copied in another order
    derived.mark(project, RESULTS)
    assert path.stat().st_mtime == now
    edited(path, made=content["made"] | {"checkpoint_sha256": "0" * 64})
    for _ in range(2):  # once is enough
        derived.mark(project, RESULTS)
        assert now - dates.SHIFT <= path.stat().st_mtime < dates.OLD
    edited(path, made=content["made"])
    os.utime(path, (now - dates.SHIFT, now - dates.SHIFT))
    derived.mark(project, RESULTS)
    assert path.stat().st_mtime == now
    assert seed(project, 1).joinpath("evaluation.json").stat().st_mtime >= now  # untouched


def test_an_evaluation_of_a_run_that_was_just_trained_again_waits_for_its_job(project):
    """The job removes what training keeps beside the resume states."""
    own = seed(project)
    (RESULTS / ".resume" / f"{own.parent.name}-0123" / own.name).mkdir(parents=True)
    os.utime(own / "evaluation.json", (1e9, 1e9))
    derived.mark(project, RESULTS)
    assert own.joinpath("evaluation.json").stat().st_mtime == 1e9


@pytest.fixture
def notes(project):
    """Snakemake's, of any file."""
    derived.NOTES.mkdir(parents=True)
    (derived.NOTES / "one").touch()


def dated_back(project):
    derived.date_back(project, RESULTS)
    stamp = (RESULTS / derived.STAMP).stat().st_mtime
    return {path.name for path in RESULTS.rglob("*.*") if path.stat().st_mtime < stamp}


TABLES = {f"{name}.{kind}" for name in ("table", "classes") for kind in ("csv", "json", "md", "tex")} | {
    "runs.csv"
}


def test_tables_are_dated_back_if_snakemake_has_lost_its_notes(project):
    assert dated_back(project) == TABLES


def test_tables_are_as_they_are_while_all_files_of_their_runs_are_there(project, notes):
    seed(project).joinpath("checkpoint.pt").unlink()  # to save space
    assert dated_back(project) == set()


@pytest.mark.parametrize("name", ["run.json", "metrics.csv", "evaluation.json"])
def test_tables_are_dated_back_if_a_file_of_a_run_was_deleted(name, project, notes):
    seed(project).joinpath(name).unlink()
    assert dated_back(project) == TABLES


def test_tables_are_dated_back_if_one_of_them_was_deleted_until_they_are_made_again(project, notes):
    derived.note(project, RESULTS, 0.0)
    (RESULTS / "studies" / "own" / "classes.md").unlink()
    assert dated_back(project) == TABLES - {"classes.md"}
    for path in (RESULTS / "studies" / "own").iterdir():
        os.utime(path)
    derived.note(project, RESULTS, 0.0)  # made again, by a pj that makes no classes.md
    assert dated_back(project) == set()


def test_files_that_pj_does_not_make_keep_their_dates_and_deleting_former_ones_makes_nothing_again(
    project, notes
):
    notes, swept = (RESULTS / "studies" / "own" / name for name in ("notes.txt", "sweep.png"))
    notes.touch()
    swept.touch()
    seed(project).joinpath("metrics.csv").unlink()
    assert dated_back(project) == TABLES
    seed(project).joinpath("metrics.csv").touch()
    for path in (RESULTS / "studies" / "own").iterdir():
        os.utime(path)
    derived.note(project, RESULTS, 0.0)
    swept.unlink()
    assert dated_back(project) == set()


def test_dates_that_a_plan_gives_are_taken_back_unless_a_file_was_written_or_jobs_start(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(dates, "_before", {})
    monkeypatch.chdir(tmp_path)
    for name in ("planned", "written"):
        Path(name).touch()
        os.utime(name, (1.3e9, 1.3e9))
        dates.put(Path(name), 1.2e9)
        dates.put(Path(name), 1.1e9)
    os.utime("written", (1.4e9, 1.4e9))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")  # Snakemake leaves its --directory before it ends
    dates._put_back()
    assert [(tmp_path / name).stat().st_mtime for name in ("planned", "written")] == [1.3e9, 1.4e9]
    dates.put(tmp_path / "planned", 1.1e9)
    dates.keep()
    dates._put_back()
    assert (tmp_path / "planned").stat().st_mtime == 1.1e9


def test_a_table_that_was_not_made_just_now_is_noted_as_before(project, notes):
    """Else one that a workflow has not made again would pass for that of the runs there are now."""
    derived.note(project, RESULTS, 0.0)
    os.utime(seed(project) / "evaluation.json", (1.2e9, 1.2e9))  # another one
    os.utime(RESULTS / "studies" / "own" / "table.md", (1.3e9, 1.3e9))
    derived.note(project, RESULTS, 1.4e9)
    assert dated_back(project) == {"table.md"}


def test_tables_of_a_run_that_waits_to_be_trained_again_are_as_they_were(project, notes, monkeypatch):
    """The run is dated back, which is no other run: undoing the edit makes no table again."""
    derived.note(project, RESULTS, 0.0)
    monkeypatch.setattr(verify, "code_of", lambda spec: "0" * 16)
    verify.mark(project.runs(), RESULTS)
    assert (seed(project) / "run.json").stat().st_mtime < dates.OLD
    assert TABLES.isdisjoint(dated_back(project))


def test_the_table_of_modes_and_the_pages_are_dated_back_without_notes_too(project):
    for path in (RESULTS / "modes" / "table.md", RESULTS / "report.html", RESULTS / "claims.csv"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    derived.date_back(project, RESULTS)
    late = {str(path) for path in RESULTS.rglob("*.*") if path.stat().st_mtime < dates.OLD}
    assert {"results/modes/table.md", "results/report.html", "results/claims.csv"} < late


def test_tables_are_dated_back_if_other_settings_name_other_runs(project, notes):
    config = RESULTS.parent / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 1", "epochs: 2"))
    assert dated_back(loading.load(config)) == TABLES


def test_tables_are_dated_back_if_files_of_runs_were_replaced_by_older_ones(project, notes, monkeypatch):
    """As by copying the runs of another clone, which keeps their dates."""
    derived.note(project, RESULTS, 0.0)
    assert dated_back(project) == set()
    with monkeypatch.context() as patch:  # code edited, and not run
        patch.setattr(verify, "code_of", lambda spec: "0" * 16)
        verify.mark(project.runs(), RESULTS)
    verify.mark(project.runs(), RESULTS)
    assert dated_back(project) == set()
    os.utime(seed(project) / "evaluation.json", (1.2e9, 1.2e9))
    assert dated_back(project) == TABLES


def test_a_page_says_which_finished_runs_it_does_not_show(project, capsys):
    (RESULTS.parent / "claims.yaml").write_text("claims: []\n")
    cli.main(["report"])
    assert "Not shown" not in capsys.readouterr().out
    shutil.rmtree(RESULTS / "studies")
    cli.main(["report"])
    said = "Not shown, since their tables are missing (`snakemake` makes them): own"
    assert said in capsys.readouterr().out


def test_a_list_of_runs_and_a_page_say_that_a_run_was_damaged_or_edited(project, capsys):
    path = seed(project) / "evaluation.json"
    path.write_text(path.read_text().replace('"accuracy": ', '"accuracy": 1', 1))
    (RESULTS.parent / "claims.yaml").write_text("claims: []\n")
    assert cli.main(["runs"]) == 0
    states = [line.split()[2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert states == ["damaged", "complete"]
    assert cli.main(["report"]) == 0
    assert "**1 run was damaged or edited since**: `pj verify` lists them." in capsys.readouterr().out
    assert "1 run was damaged or edited since." in (RESULTS / "report.md").read_text()


def test_what_is_kept_of_other_code_says_so_on_its_page(project, capsys):
    edited(seed(project) / "run.json", code="0" * 16)
    (RESULTS.parent / "claims.yaml").write_text("claims: []\n")
    assert cli.main(["keep", "kept"]) == 0
    assert cli.main(["report", "--from", "kept"]) == 0
    said = "When this was kept, 1 run was trained by other code than today's."
    assert said in (RESULTS.parent / "kept" / "report.md").read_text()


def test_a_table_with_an_edited_learning_curve_is_refused_by_its_name(project, capsys):
    path = seed(project) / "metrics.csv"
    path.write_text(path.read_text().replace("1,", "2,", 1))
    assert cli.main(["table", "own"]) == 1
    assert f"{path} is not the file that" in capsys.readouterr().err


def test_the_table_of_an_analysis_that_was_just_made_is_what_its_runs_give(tmp_path):
    """Its LaTeX names the kind of analysis, which `pj verify` writes elsewhere."""
    sheet = Sheet("", pd.DataFrame({"a": ["b"]}))

    def write(folder):
        sheet.write(folder, "table", sheet.table)

    folder = tmp_path / "prunings" / "p"
    folder.mkdir(parents=True)
    write(folder)
    assert list(verify._of_folder(folder, [write])) == []
    (folder / "table.tex").write_text("")
    (said,) = verify._of_folder(folder, [write])
    assert "table.tex: not what its runs give" in said


def test_the_table_of_probes_is_compared_with_what_its_runs_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(PROBED)
    loaded, folder = loading.load("config.yaml"), RESULTS / "studies" / "probed"
    for write in (studies.write, probes.write):
        write(loaded.study("probed"), RESULTS / "runs", folder)
    assert not found(loaded)
    (folder / "probes_table.csv").write_text("ratio\n2.0\n")
    (line,) = found(loaded)
    assert line.startswith(f"{folder / 'probes_table.csv'}: not what its runs give today")
