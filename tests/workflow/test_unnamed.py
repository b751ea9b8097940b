"""`pj clean` lists and deletes what no configuration names, and nothing that one does, whatever is linked."""

import json
import os
import socket
import time

import pytest
from filelock import FileLock

from helpers.project import PROBED
from pj import cli, config
from pj.cli import clean as clean_command
from pj.cli.common import RESULTS
from pj.config.analyses import ANALYSES
from pj.runs import places, records
from pj.workflow import dates, unnamed, watched

OTHER = """
studies: {selected: null}
prunings: null
datasets: {gray: {label: other}}
"""
SEEDS = "seeds: [1]\n"


def write(path, text="x" * 1000):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def fill(loaded):
    """Write what a configuration names, as far as names go, and return the files."""
    files = [RESULTS / "report.html", RESULTS / "modes" / "table.md"]
    for name, run in loaded.runs().items():
        for seed in run.seeds:
            files.append(places.folder(RESULTS / "runs", name, seed) / records.RUN)
            files.append(places.resume(RESULTS, name, "1234", seed) / "1-2.pt")
    files += [RESULTS / "studies" / name / "table.md" for name in loaded.settings.studies]
    for key in ANALYSES:
        for name in loaded.analyses(key):
            runs = [run for variant in loaded.analysed(key, name).variants for run in variant.runs]
            files += [RESULTS / key / name / records.measured_name(*run) for run in runs]
            files.append(RESULTS / key / name / "table.md")
    for label in loaded.sources():
        files += [RESULTS / "data" / f"{label}.npz", RESULTS / "data" / f"{label}.json"]
    return [write(path) for path in files]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the results of two configurations: config.yaml, and other.yaml of other runs and data."""
    (tmp_path / "p").mkdir()
    monkeypatch.chdir(tmp_path / "p")
    write(tmp_path / "p" / "config.yaml", f"modes: true\n{PROBED}")
    write(tmp_path / "p" / "other.yaml", SEEDS + OTHER)
    named, others = fill(config.load("config.yaml")), fill(config.load("config.yaml", "other.yaml"))
    return named, [path for path in others if path not in named]


def clean(*arguments):
    assert cli.main(["clean", *arguments]) == 0


def test_all_that_only_another_configuration_names_goes_and_nothing_else(project, capsys):
    named, others = project
    mine = [
        write(RESULTS / "runs" / "notes" / "a.md"),
        write(RESULTS / "data" / "a.npz"),
        write(RESULTS / "own/x"),
    ]
    clean()
    listed = capsys.readouterr().out
    assert "Nothing was deleted" in listed and all(path.is_file() for path in named + others)
    kinds = {"runs", "resume states", "measurements", "prepared data"}
    assert all(f"\n{kind}: " in listed for kind in kinds) and "2.0 kB" in listed
    clean("--delete")
    deleted = capsys.readouterr().out
    assert all(path.is_file() for path in named + mine) and not any(path.exists() for path in others)
    assert deleted.count("deleted ") == len([x for x in listed.splitlines() if "  results/" in x])
    assert not [path for path in RESULTS.rglob("*") if path.is_dir() and not any(path.iterdir())]
    clean("--delete")
    assert "nothing else" in capsys.readouterr().out


def test_states_of_a_run_that_has_ended_go_and_those_of_a_run_that_has_not_stay(project):
    """Such as those of former code, which nothing goes on from."""
    loaded = config.load("config.yaml")
    ended, other = (variant.spec.run for variant in loaded.study("selected").variants)
    states = [
        write(RESULTS / ".resume" / f"{run}-0123456789abcdef" / "seed0" / "1.pt") for run in (ended, other)
    ]
    for run, files in ((ended, (records.RUN, records.EVALUATION)), (other, (records.EVALUATION,))):
        for file in (records.RUN, records.EVALUATION):
            (RESULTS / "runs" / run / "seed0" / file).unlink(missing_ok=True)
        for file in files:
            write(RESULTS / "runs" / run / "seed0" / file)
    clean("--delete")
    assert [path.exists() for path in states] == [False, True]


@pytest.mark.parametrize(
    ("count", "wanted"),
    [(0, "0 B"), (999, "999 B"), (10_000, "10 kB"), (1.5e9, "1.5 GB"), (99e12, "99 TB"), (2e15, "2000 TB")],
)
def test_sizes_are_in_units_of_a_thousand(count, wanted):
    assert clean_command._size(count) == wanted


def test_runs_under_a_name_of_ones_own_stay(project):
    mine = write(RESULTS / "runs" / "copy-of-the-best" / "seed0" / records.RUN)
    clean("--delete")
    assert mine.is_file()


def test_the_users_own_data_stay_wherever_they_are(project):
    """A file below results/data looks like prepared data of no configuration."""
    own = [write(RESULTS / "data" / f"birds.{kind}") for kind in ("npz", "json")]
    text = "datasets: {birds: {source: npz, label: mine, path: results/data/birds.npz}}\n"
    write(RESULTS.parent / "birds.yaml", text)
    clean("--delete", "--configfile", "birds.yaml")
    assert own[0].is_file()
    clean("--delete")
    assert not own[0].exists()


def test_what_an_alternative_configuration_names_is_kept_for_it(project):
    named, others = project
    gone = write(RESULTS / "runs" / "digits-mlp-01234567" / "seed0" / records.RUN)
    clean("--delete", "--also", "other.yaml")
    assert all(path.is_file() for path in named + others) and not gone.exists()
    clean("--delete", "--configfile", "other.yaml", "--also", "config.yaml")
    assert all(path.is_file() for path in named + others)


def test_studies_and_analyses_of_no_configuration_are_listed_with_size_and_dates(project, capsys):
    table = write(RESULTS / "studies" / "old" / "table.md")
    run = write(RESULTS / "runs" / "digits-mlp-01234567" / "seed0" / records.RUN)
    for path, date in ((table, 86_400 * 365.25 * 40), (run, 86_400 * 365.25 * 45 - dates.SHIFT)):
        os.utime(path, (date, date))  # the run is dated back, which is nothing to show
    measured = write(RESULTS / "prunings" / "old" / "digits-mlp-01234567-seed0.json")
    clean("--also", "other.yaml")
    shown = capsys.readouterr().out
    assert f"1.0 kB  2010-01-01  {table.parent}\n" in shown
    assert f"1.0 kB  2015-01-01  {run.parent}\n" in shown or f"2014-12-31  {run.parent}\n" in shown
    assert f"{measured.parent}\n" in shown
    assert "tables: 1, 1.0 kB, 2010-01-01 to 2010-01-01" in shown


def test_what_a_study_had_with_former_settings_is_listed_and_deleted(project, capsys):
    """Such as the figure of a sweep that was taken out; it belongs to a configuration that sweeps."""
    named, others = project
    sweeps = (
        'studies: {probed: {variants: {unprobed: null, plain: null}, sweep: {"optimizer.lr": [0.01, 0.02]}}}'
    )
    write(RESULTS.parent / "swept.yaml", f"landscapes: null\n{sweeps}\n")
    probed, selected = RESULTS / "studies" / "probed", RESULTS / "studies" / "selected"
    former = [probed / "sweep.png", probed / "path.svg", selected / "probes_table.md"]
    now = [probed / "probes.csv", selected / "weights.png", probed / "curves.svg", probed / "notes.txt"]
    for path in former + now:
        write(path)
    clean("--also", "other.yaml", "--also", "swept.yaml")
    listed = capsys.readouterr().out
    assert [path for path in former + now if f"{path}\n" in listed] == former[1:]
    clean("--delete", "--also", "other.yaml")
    assert not any(path.exists() for path in former)
    assert all(path.is_file() for path in named + others + now)


def test_the_table_of_modes_is_listed_once_nothing_asks_for_it(project, capsys):
    write(RESULTS.parent / "without.yaml", "modes: false\n")
    clean("--configfile", "without.yaml", "--also", "other.yaml", "--also", "without.yaml")
    assert "modes" not in capsys.readouterr().out  # other.yaml extends config.yaml, which asks for it
    write(RESULTS.parent / "without2.yaml", f"modes: false\n{OTHER}")
    clean("--configfile", "without.yaml", "--also", "without.yaml", "without2.yaml")
    assert f"{RESULTS / 'modes' / 'table.md'}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["studies/old/table.md", "prunings/old/table.md", "runs/digits-mlp-01234567/seed0/run.json"]
)
def test_files_of_ones_own_in_a_listed_folder_stay(name, project, capsys):
    made = write(RESULTS / name)
    half = write(made.with_name(f".{made.name}.a1b2c3d4"))
    mine = [write(made.parent / own) for own in ("figure.pdf", "notes.txt", "sub/table.md")]
    for deleted in ((), ("--delete",)):
        clean("--also", "other.yaml", *deleted)
        assert f"kept, not written by pj: {mine[0]} and 2 more\n" in capsys.readouterr().out
    assert all(path.is_file() for path in mine) and not made.exists() and not half.exists()
    clean("--also", "other.yaml")
    assert "nothing else" in capsys.readouterr().out


def test_a_file_that_was_dated_as_old_has_no_date(project, capsys):
    path = write(RESULTS / "networks" / "digits-mlp-01234567.json")
    watched.set_back(path.parent)
    clean("--also", "other.yaml")
    shown = capsys.readouterr().out
    assert f"1.0 kB              {path}\n" in shown and "checks of networks: 1, 1.0 kB\n" in shown


@pytest.fixture
def unknown():
    """The folder of a run and its resume state that no configuration names."""
    name = "digits-mlp-01234567"
    run = write(places.folder(RESULTS / "runs", name, 0) / records.RUN).parent
    return name, run, write(places.resume(RESULTS, name, "1234", 0) / "1-2.pt").parent


def survives(*folders):
    clean("--delete", "--also", "other.yaml")
    return [folder.is_dir() for folder in folders]


def test_a_run_in_training_is_kept(project, unknown, capsys):
    name, *folders = unknown
    progress = {"pid": os.getpid(), "host": socket.gethostname(), "time": time.time()}
    path = write(places.progress(RESULTS, name, 0), json.dumps(progress))
    assert survives(*folders) == [True, True]
    assert f"in use, kept: {folders[0]}" in capsys.readouterr().out
    path.unlink()
    with FileLock(folders[1] / "lock"):  # one that has not made its first steps
        assert survives(*folders) == [True, True]
    write(path, json.dumps(progress | {"time": time.time() - 3600}))  # dead
    assert survives(*folders) == [False, False]


def test_what_a_running_workflow_reads_or_writes_is_kept(project, unknown):
    _, run, resume = unknown
    lock = write(unnamed.SNAKEMAKE / "0.output.lock", f"{run}/{records.RUN}\n")
    assert survives(run, resume) == [True, True]
    lock.unlink()
    assert survives(run, resume) == [False, False]


def moved(path, target):
    """Put a file or folder elsewhere, with a link in its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    path.symlink_to(target.absolute())


def test_results_that_lie_elsewhere_are_cleaned_and_named_ones_stay(project, tmp_path):
    named, others = project
    moved(RESULTS / "runs", tmp_path / "disk" / "runs")
    moved(RESULTS, tmp_path / "disk" / "results")
    clean("--delete")
    assert all(path.is_file() for path in named) and not any(path.exists() for path in others)


def test_what_a_named_place_leads_to_is_kept_and_so_are_the_links_on_the_way(project, unknown):
    named, _ = project
    run = next(path for path in named if path.name == records.RUN).parent
    other, between = unknown[1], RESULTS / "runs" / "digits-mlp-76543210" / "seed0"
    other.rename(aside := other.with_name("seed5"))
    between.parent.mkdir()
    moved(run, other)
    run.unlink()
    between.symlink_to(f"../{other.parent.name}/seed0")
    run.symlink_to(f"../../runs/{between.parent.name}/seed0")
    single = next(path for path in named if path.suffix == ".npz")
    moved(single, RESULTS / "studies" / "old" / "table.md")
    inside = next(path for path in named if path.name == records.RUN and not path.parent.is_symlink())
    moved(inside, RESULTS / "prunings" / "old" / "digits-mlp-01234567-seed0.json")
    folder = RESULTS / "runs" / "digits-mlp-00000001"  # holds what looks like a run of no configuration
    moved(RESULTS / "studies" / "probed", folder)
    write(folder / "seed0" / records.RUN)
    clean("--delete")
    assert all(path.is_file() for path in named) and not aside.exists()
    assert (folder / "seed0" / records.RUN).is_file()


def test_of_a_link_only_the_link_goes(project, tmp_path):
    named, _ = project
    run = next(path for path in named if path.name == records.RUN).parent
    elsewhere = write(tmp_path / "another" / "seed0" / records.RUN)
    links = [RESULTS / "runs" / f"digits-mlp-0000000{i}" for i in range(3)]
    links[0].symlink_to(run.parent.absolute())
    links[1].symlink_to(elsewhere.parent.parent)
    links[2].mkdir()
    links[2] = links[2] / "seed0"
    links[2].symlink_to(run.absolute())
    study = RESULTS / "studies" / "old"
    study.symlink_to(next(p for p in named if p.parent.parent.name == "studies").parent.absolute())
    write(RESULTS / "runs" / "digits-mlp-00000009" / "seed0" / records.RUN).with_name("steps.csv").symlink_to(
        run.absolute()
    )
    loop = RESULTS / "runs" / "digits-mlp-00000008"
    loop.symlink_to(loop.name)
    clean("--delete")
    assert all(path.is_file() for path in [*named, elsewhere])
    assert not any(path.is_symlink() for path in [*links, study, loop])
    assert not (RESULTS / "runs" / "digits-mlp-00000009").exists()
