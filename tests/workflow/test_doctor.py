"""`pj doctor`: every fault with what to do about it, and the environments it would have one install."""

import errno
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from helpers.sources import source
from pj import cli
from pj.data import store
from pj.errors import UserError
from pj.training import compiler
from pj.workflow import doctor

ROOT = Path(__file__).parents[2]


def clients(folder, **answers):
    """Put SLURM's clients into a folder: what they print, or None for one that fails."""
    folder.mkdir()
    for name, answer in ({"sbatch": "", "sacct": ""} | answers).items():
        body = "exit 1" if answer is None else f"cat <<'END'\n{answer}\nEND"
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def slurm(tmp_path, monkeypatch, device="auto", **answers):
    monkeypatch.setenv("PATH", clients(tmp_path / "bin", **answers) + ":/usr/bin:/bin")
    return [finding for finding in doctor._slurm(device) if finding.remedy]


def test_a_healthy_cluster_has_no_faults(tmp_path, monkeypatch):
    assert slurm(tmp_path, monkeypatch, sinfo="4|idle~|gpu:2|none\n1|mixed|gpu:2|") == []


def test_nodes_that_take_no_jobs_are_named_with_their_reason(tmp_path, monkeypatch):
    (found,) = slurm(tmp_path, monkeypatch, sinfo="1|drained|gpu:1|disk is full\n3|idle|gpu:1|none")
    assert "1 node(s) drained, gpu:1: disk is full" in found.found and not found.fault


def test_a_cluster_of_which_no_node_takes_jobs_is_a_fault(tmp_path, monkeypatch):
    (found,) = slurm(tmp_path, monkeypatch, sinfo="2|down*|gpu:1|no power")
    assert found.fault and "no power" in found.found


def test_a_cluster_without_gpus_accounting_or_controller_gets_advice(tmp_path, monkeypatch):
    no_gpus, no_accounting = slurm(tmp_path, monkeypatch, sinfo="2|idle|(null)|none", sacct=None)
    assert "--config device=cpu" in no_gpus.remedy
    assert "--slurm-no-account" in no_accounting.remedy


def test_a_cluster_without_gpus_is_no_fault_where_none_is_asked_for(tmp_path, monkeypatch):
    assert slurm(tmp_path, monkeypatch, device="cpu", sinfo="2|idle|(null)|none") == []


@pytest.mark.parametrize(("sacct", "remedy"), [("", "--slurm-status-command sacct"), (None, "ask the site")])
def test_a_cluster_that_forgets_jobs_at_once_is_a_fault(tmp_path, monkeypatch, sacct, remedy):
    config = "MinJobAge               = 60 sec"
    found = slurm(tmp_path, monkeypatch, sinfo="2|idle|gpu:1|none", sacct=sacct, scontrol=config)[-1]
    assert "60 s after its end" in found.found and remedy in found.remedy and found.fault


def test_torch_that_cannot_be_imported_is_a_finding_beside_the_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "BAD   torch: cannot be imported" in printed and "ok    snakemake: " in printed


def test_a_controller_that_does_not_answer_is_named(tmp_path, monkeypatch):
    (found,) = slurm(tmp_path, monkeypatch, sinfo=None)
    assert "controller does not answer" in found.found and not found.fault  # it may not be used here


@pytest.mark.parametrize(
    ("here", "advice"), [(True, "only the nodes need one"), (False, "leave out --resources")]
)
def test_a_machine_without_a_gpu_gets_advice_that_fits_it(here, advice, tmp_path, monkeypatch):
    folder = clients(tmp_path / "bin")
    monkeypatch.setenv("PATH", folder if here else str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (found,) = (finding for finding in doctor._torch("auto") if finding.what == "GPU")
    assert advice in found.remedy and not found.fault


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_the_configuration_asks_for_in_vain_is_a_fault(device, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (found,) = (finding for finding in doctor._torch(device) if finding.what == "GPU")
    assert found.fault and device in found.found and "device: auto" in found.remedy


def test_what_compiled_steps_need_and_this_machine_lacks_is_named(tmp_path, monkeypatch):
    headers = tmp_path / "Python.h"
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    assert "a C++ compiler (g++, or" in compiler.lacking(cuda=False)
    monkeypatch.setenv("CXX", sys.executable)
    assert "Python's headers" in compiler.lacking(cuda=False)
    assert "a C compiler" in compiler.lacking(cuda=True)
    headers.touch()
    assert compiler.lacking(cuda=False) is None
    monkeypatch.setenv("CC", sys.executable)
    assert compiler.lacking(cuda=True) is None
    headers.unlink()
    (found,) = (finding for finding in doctor._torch("auto") if finding.what == "compiler")
    assert "Python's headers" in found.found and not found.fault


def test_a_home_folder_that_cannot_be_written_is_a_fault_with_a_way_around_it(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not any(finding.remedy for finding in doctor._snakemake())
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = [finding for finding in doctor._snakemake() if finding.remedy]
    assert (
        [finding.what for finding in found] == ["home"]
        and found[0].fault
        and "XDG_CACHE_HOME" in found[0].remedy
    )


def test_a_file_system_without_locks_is_a_fault(tmp_path, monkeypatch):
    assert not list(doctor._locks(tmp_path / "results")) and not list(tmp_path.iterdir())

    def refused(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("pj.workflow.doctor.FileLock.acquire", refused)
    (found,) = doctor._locks(tmp_path / "results")
    assert found.fault and "no locks" in found.found and "file system with locks" in found.remedy


def test_a_full_disk_is_a_fault(tmp_path, monkeypatch):
    assert not doctor._disk(tmp_path / "results").remedy
    monkeypatch.setattr(doctor, "ENOUGH", 2**80)
    assert doctor._disk(tmp_path / "results").fault and doctor._disk(tmp_path).remedy


@pytest.mark.parametrize(
    ("source", "found", "fault"),
    [
        (source("digits"), "needs no file", False),
        (source("npz", path="nowhere.npz"), "nowhere.npz is missing", True),
        (source("folder", path="nowhere"), "nowhere is missing", True),
        (source("torchvision", dataset="MNIST", folder="x"), "else downloaded", False),
    ],
)
def test_data_that_is_not_prepared_says_whether_it_can_be(source, found, fault, tmp_path):
    finding = doctor._data("d", source, tmp_path)
    assert found in finding.found and (finding.fault and bool(finding.remedy)) == fault


def test_prepared_data_are_counted_and_damaged_ones_reported(digits, tmp_path):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "d.npz"
    path.write_bytes(digits.read_bytes())
    given = source("digits")
    assert f"{len(store.load(digits).y_train):,} training" in doctor._data("d", given, tmp_path).found
    path.write_bytes(b"no archive")
    assert "delete" in doctor._data("d", given, tmp_path).remedy


def test_a_faulty_configuration_is_a_finding_and_the_exit_status_says_so(tmp_path, monkeypatch, capsys):
    (tmp_path / "config.yaml").write_text("seeds: [0.5]\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "BAD   configuration: " in printed and "seeds.0" in printed and "ok    torch: " in printed


def test_the_configuration_is_read_last_so_that_all_else_is_reported(tmp_path):
    def load():
        raise UserError("no")

    assert [finding.what for finding in doctor.examine(load, tmp_path)][-1] == "configuration"


NAMES = {"matplotlib-base": "matplotlib", "snakemake-minimal": "snakemake"}


@pytest.mark.parametrize(("file", "build"), [("cpu", "pytorch-cpu"), ("cuda", "pytorch-gpu")])
def test_the_conda_environments_have_the_bounds_of_pyproject(file, build):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["slurm"]
    wanted.append(f"python{project['requires-python']}")
    content = yaml.safe_load((ROOT / "envs" / f"{file}.yaml").read_text())
    given = [re.fullmatch(r"(\S+) (\S+)", line).groups() for line in content["dependencies"]]
    names = NAMES | {build: "torch"}
    assert sorted(names.get(name, name) + bound for name, bound in given) == sorted(wanted)
