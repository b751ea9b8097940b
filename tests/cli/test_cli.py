import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from pj import cli, config
from pj.cli import watch
from pj.data import store
from pj.plan import progress
from pj.runs import places
from pj.runs.records import read_run
from pj.workflow import derived

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name in ("config.yaml", "config.smoke.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_makes_one_run_without_snakemake(here, digits):
    arguments = ["train", "mlp_cnn", "mlp", "--seed", "3", "--data", str(digits), "--output", "run"]
    assert cli.main([*arguments, "--configfile", "config.smoke.yaml"]) == 0
    assert read_run(here / "run")["seed"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table", "mlpcnn"], "Did you mean 'mlp_cnn'?"),
        (["train", "mlp_cnn", "mpl", "--output", "x"], "Did you mean 'mlp'?"),
        (["train", "mlp_cnn", "mlp", "--output", "x"], "results/data/cifar10.npz is missing"),
        (["runs", "--configfile", "none.yaml"], "none.yaml: there is no such file"),
        (["report", "--output", "config.yaml/x.html"], "config.yaml is a file, not a folder"),
        (["report", "--output", "folder.html"], "allowed: a file whose name ends in .html"),
        (["schema", "--output", "config.yaml"], "config.yaml is a file, not a folder"),
        (["keep", "config.yaml"], "config.yaml is a file, not a folder"),
    ],
)
def test_a_users_mistake_is_one_message_and_exit_status_1(here, capsys, arguments, message):
    (here / "folder.html").mkdir()
    assert cli.main(arguments) == 1
    assert message in capsys.readouterr().err


def test_runs_lists_the_variants_of_each_run_and_its_state(here, capsys):
    cli.main(["runs", "--configfile", "config.smoke.yaml"])
    lines = capsys.readouterr().out.splitlines()
    shared = next(line for line in lines if "architecture/resnet9, loss/cross_entropy" in line)
    name = shared.split()[0]
    assert shared.split()[1:3] == ["0", "-"]
    folder = here / "results" / "runs" / name / "seed0"
    folder.mkdir(parents=True)
    record = {"state": "complete", "selected": {"test": {"accuracy": 12.35}}}
    (folder / "evaluation.json").write_text(json.dumps(record))
    cli.main(["runs", "--configfile", "config.smoke.yaml"])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(name))
    assert line.split()[1:4] == ["0", "complete", "12.35"]


def test_a_table_of_missing_runs_names_them(here, capsys):
    assert cli.main(["table", "mlp_cnn", "--configfile", "config.smoke.yaml"]) == 0
    assert "missing: seed 0" in capsys.readouterr().out


def test_watch_shows_every_run_in_training(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "results" / ".progress"
    folder.mkdir(parents=True)
    said = {"run": "digits-mlp-1", "seed": 2, "epochs": 4, "epoch": 1, "step": 5, "steps": 10}
    said |= {"seconds": 30.0, "last": {"test_accuracy": 42.0}, "time": 1000.0, "host": "another"}
    (folder / "a.json").write_text(json.dumps(said))
    (folder / "b.json").write_text("half a fi")
    (line,) = watch.lines(progress.running(folder, 1001.0), None)
    for part in ("digits-mlp-1", "seed 2", "37.5 %", "epoch 2/4", "test 42.00 %", "50 s left"):
        assert part in line
    (line,) = watch.lines(progress.running(folder, 1600.0), None)
    assert "no update for 10:00 min (killed or stuck?)" in line
    monkeypatch.chdir(tmp_path)
    cli.main(["watch", "--once"])
    assert "digits-mlp-1" in capsys.readouterr().out


def test_watch_says_when_nothing_is_in_training(tmp_path):
    assert watch.lines(progress.running(tmp_path, 0.0), None) == ["no run is in training"]


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert all(name in out for name in ("train", "runs", "watch", "table"))


@pytest.mark.parametrize("command", ["prune", "schema"])
def test_a_command_that_reads_no_configuration_takes_none(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    assert "--configfile" not in capsys.readouterr().out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_examples_that_it_takes_and_says_its_exit_codes(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    examples, _, codes = capsys.readouterr().out.partition("\nexamples:\n")[2].partition("\nexit codes:\n")
    shown = re.sub(r"^ *#.*", "", examples, flags=re.MULTILINE)
    calls = [shlex.split(call) for call in re.findall(r"\bpj [^\n)|>]*", shown)]
    assert len(calls) >= 2 and {call[1] for call in calls} == {command}
    for call in calls:
        assert cli.make_parser().parse_args(call[1:]).command
    assert [line.split()[0] for line in codes.splitlines()][:3] == ["0", "1", "2"]


@pytest.mark.parametrize("command", [["pj"], [sys.executable, "-m", "pj"]])
def test_the_version_is_that_of_the_package(command, capsys):
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if command == ["pj"]:
        with pytest.raises(SystemExit, match="0"):
            cli.main(["--version"])
        assert capsys.readouterr().out == f"pj {wanted}\n"
    else:
        assert subprocess.check_output([*command, "--version"], text=True) == f"pj {wanted}\n"


def test_ctrl_c_ends_a_command_with_exit_status_130_and_no_traceback(here, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("pj.cli.runs.load", interrupted)
    assert cli.main(["runs"]) == 130


def completions(line: str, folder: Path, results: Path) -> list[str]:
    """Return what a shell is offered after a line, where nothing can import torch."""
    (results / "torch.py").write_text("raise SystemExit('torch was imported')")
    environment = {**os.environ, "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line}
    environment |= {"COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": str(results / "out")}
    environment["PYTHONPATH"] = os.pathsep.join([str(results), str(ROOT / "src")])
    subprocess.run([sys.executable, "-m", "pj"], cwd=folder, env=environment, check=True)
    return [word.strip() for word in (results / "out").read_text().splitlines()]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("pj tr", ["train"]),
        ("pj table mlp", ["mlp_cnn"]),
        ("pj train mlp_cnn m", ["mlp"]),
        ("pj train mlp_cnn mlp --se", ["--seed"]),
        ("pj completion f", ["fish"]),
        ("pj table --configfile none.yaml mlp", []),
    ],
)
def test_a_shell_completes_commands_options_studies_and_variants_without_torch(here, tmp_path, line, wanted):
    (tmp_path / "empty").mkdir()
    assert completions(line, here, tmp_path / "empty") == wanted


@pytest.mark.parametrize(
    ("shell", "registers"),
    [
        ("bash", "complete -o nospace -o default -o bashdefault -F _python_argcomplete pj"),
        ("zsh", "compdef _python_argcomplete pj"),
        ("fish", "complete --command pj"),
    ],
)
def test_completion_prints_what_registers_pj_in_a_shell(shell, registers, capsys):
    assert cli.main(["completion", shell]) == 0
    assert registers in capsys.readouterr().out


def test_init_writes_a_whole_project_and_says_what_comes_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / ".git").mkdir(parents=True)
    assert cli.main(["init", "mine"]) == 0
    assert "  cd mine\n  snakemake --cores 2\n" in capsys.readouterr().out
    named = set(re.findall(r"^\| ([\w.]+)", (tmp_path / "mine" / "README.md").read_text(), re.MULTILINE))
    written = {path.name for path in (tmp_path / "mine").glob("[!.]*") if path.suffix != ".json"}
    assert named - {"file", "results"} == written - {"README.md"}
    monkeypatch.chdir(tmp_path / "mine")
    assert cli.main(["schema", "--check"]) == 0
    for name in ("config.yaml", "claims.yaml"):
        schema = re.match(r"# yaml-language-server: \$schema=(\S+)", Path(name).read_text())[1]
        assert Path(schema).is_file()
    profile = yaml.safe_load(Path("profiles/default/config.yaml").read_text())
    assert profile["rerun-triggers"] == ["mtime", "params", "input"]


@pytest.mark.parametrize("name", ["full", "file", "file/new", "/proc/new"])
def test_init_refuses_a_folder_that_is_not_empty_or_cannot_be_written(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    for file in ("file", "full/notes.txt"):
        (tmp_path / file).write_text("mine")
    assert cli.main(["init", name]) == 1
    message = capsys.readouterr().err
    assert ("is not empty (notes.txt)" if name == "full" else "cannot be written") in message
    assert message.count("\n") == 1
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_train_refuses_a_folder_that_holds_another_finished_run(here, digits, capsys):
    arguments = ["train", "mlp_cnn", "mlp", "--data", str(digits), "--output", "run"]
    arguments += ["--configfile", "config.smoke.yaml", "--seed"]
    assert cli.main([*arguments, "0"]) == 0
    before = (here / "run" / "run.json").read_text()
    assert cli.main([*arguments, "1"]) == 1
    assert "finished run of another specification or seed" in capsys.readouterr().err
    assert (here / "run" / "run.json").read_text() == before


def test_train_refuses_an_output_that_cannot_be_written_and_a_negative_seed(here, capsys):
    (here / "file").write_text("")
    assert cli.main(["train", "mlp_cnn", "mlp", "--output", "file/run"]) == 1
    assert "is a file, not a folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["train", "mlp_cnn", "mlp", "--output", "x", "--seed", "-1"])


def test_train_of_a_finished_run_says_so_and_does_nothing(here, digits, capsys):
    arguments = ["train", "mlp_cnn", "mlp", "--data", str(digits), "--output", "run"]
    arguments += ["--configfile", "config.smoke.yaml"]
    assert cli.main(arguments) == 0
    before = (here / "run" / "run.json").stat().st_mtime_ns
    assert cli.main(arguments) == 0
    assert "already holds this run (complete)" in capsys.readouterr().out
    assert (here / "run" / "run.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("where", ["option", "configuration"])
def test_train_ends_when_its_seconds_are_over_and_goes_on_when_called_again(where, here, digits):
    (here / "long.yaml").write_text(
        "studies: {mlp_cnn: {base: {epochs: 3000}}}\n"
        "scale: {name: long, epochs: 3000, train: 800, validation: 200, test: 300, width: 0.1}"
        + ("\nmax_seconds: 1" if where == "configuration" else "")
    )
    arguments = ["train", "mlp_cnn", "mlp", "--data", str(digits), "--output", "run"]
    arguments += ["--configfile", "config.smoke.yaml", "--configfile", "long.yaml"]
    arguments += ["--max-seconds", "1"] if where == "option" else []
    states = []
    for _ in range(2):
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
        assert stopped.value.code == 75
        states.append(max(int(p.name[:9]) for p in (here / "run" / ".resume").glob("*.pt")))
    assert 0 < states[0] < states[1]


@pytest.mark.parametrize("seconds", ["0", "-5", "1.5", "x"])
def test_seconds_that_make_no_sense_are_refused(seconds, here, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["train", "mlp_cnn", "mlp", "--output", "x", f"--max-seconds={seconds}"])
    assert "allowed: 1, 2, …" in capsys.readouterr().err


def test_train_records_the_code_it_ran(here, digits):
    arguments = ["train", "mlp_cnn", "mlp", "--data", str(digits), "--output", "run"]
    cli.main([*arguments, "--configfile", "config.smoke.yaml"])
    assert len(read_run(here / "run")["code"]) == 16


def test_broken_and_stale_files_are_no_state(here, capsys):
    cli.main(["runs", "--configfile", "config.smoke.yaml"])
    name = capsys.readouterr().out.splitlines()[1].split()[0]
    folder = here / "results" / "runs" / name / "seed0"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text("{}")
    said = here / "results" / ".progress"
    said.mkdir()
    (said / f"{name}-seed0.json").write_text(json.dumps({"time": 1.0}))
    assert cli.main(["runs", "--configfile", "config.smoke.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == [name, "0", "damaged"]
    (folder / "evaluation.json").unlink()
    assert cli.main(["runs", "--configfile", "config.smoke.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == [name, "0", "-"]
    assert watch.lines(progress.running(said, 2.0), None) == ["no run is in training"]


def test_a_killed_run_is_stopped_and_not_in_training(here, capsys):
    cli.main(["runs", "--configfile", "config.smoke.yaml"])
    name = capsys.readouterr().out.splitlines()[1].split()[0]

    def state():
        cli.main(["runs", "--configfile", "config.smoke.yaml"])
        return capsys.readouterr().out.splitlines()[1].split()[2]

    progress = here / "results" / ".progress"
    progress.mkdir(parents=True)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    content = {"time": time.time(), "host": socket.gethostname(), "pid": os.getpid()}
    (progress / f"{name}-seed0.json").write_text(json.dumps(content))
    assert state() == "training"
    (progress / f"{name}-seed0.json").write_text(json.dumps(content | {"pid": ended.pid}))
    assert state() == "-"
    spec = config.load("config.yaml", "config.smoke.yaml").runs()[name].spec
    today = places.resume(here / "results", name, derived.code("train.py", spec), 0)
    for folder, wanted in ((today.parent.with_name(f"{name}-former") / "seed0", "-"), (today, "stopped")):
        folder.mkdir(parents=True)
        (folder / "000000005-abc.pt").write_text("")
        assert state() == wanted
    (today / "finished").mkdir()  # by a job that was to evaluate it, too
    (today / "finished" / "run.json").write_text(json.dumps({"state": "diverged"}))
    assert state() == "diverged"


def test_watch_shows_no_runs_of_another_configuration(here, capsys):
    content = {"run": "another", "seed": 0, "epoch": 0, "epochs": 2, "step": 1, "steps": 9, "seconds": 1.0}
    content |= {"time": time.time(), "host": socket.gethostname(), "pid": os.getpid(), "last": {}}
    folder = here / "results" / ".progress"
    folder.mkdir(parents=True)
    (folder / "another-seed0.json").write_text(json.dumps(content))
    assert watch.lines(progress.running(folder, time.time()), None)[0].split()[0] == "another"
    assert cli.main(["watch", "--once", "--configfile", "config.smoke.yaml"]) == 0
    out = capsys.readouterr().out
    assert "0 in training" in out and "no run is in training" in out and "another" not in out


def test_train_on_other_data_trains_again(here, digits, capsys):
    arguments = ["train", "mlp_cnn", "mlp", "--output", "run", "--configfile", "config.smoke.yaml"]
    assert cli.main([*arguments, "--data", str(digits)]) == 0
    with np.load(digits) as there:
        arrays = {key: there[key].copy() for key in store.ARRAYS}
    arrays["x_train"][0] = 255 - arrays["x_train"][0]
    store.save(store.checked(arrays, 10, "other"), here / "other.npz")
    assert cli.main([*arguments, "--data", "other.npz"]) == 0
    assert "already holds" not in capsys.readouterr().out
