"""Slots of GPUs, with devices that are names only: jobs are processes, as in the workflow."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from helpers.project import copy, snakemake
from pj.workflow import slots

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
JOB = """
import json, os, sys, time
from pathlib import Path
from pj.workflow import slots
assert "torch" not in sys.modules
with slots.held("auto") as slot:
    start = time.time()
    found = {"slot": slot, "device": os.environ["CUDA_VISIBLE_DEVICES"], "start": start}
    Path(sys.argv[1]).write_text(json.dumps(found))
    time.sleep(float(sys.argv[2]))
    Path(sys.argv[1]).write_text(json.dumps(found | {"end": time.time()}))
"""


@pytest.fixture
def job(tmp_path):
    """Start a job that holds a slot for some seconds; the locks lie in a folder of the test's own."""
    started = []

    def start(name, seconds, devices="0,1"):
        environment = os.environ | {"TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": devices}
        command = [sys.executable, "-c", JOB, str(tmp_path / f"{name}.json"), str(seconds)]
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def note(tmp_path, name, key="slot"):
    """Return what a job noted, as soon as it has."""
    path = tmp_path / f"{name}.json"
    for _ in range(200):
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError):
            content = {}
        if key in content:
            return content
        time.sleep(0.05)
    raise AssertionError(f"{name} took no slot")


def test_no_slot_is_used_twice_at_once_and_all_are_used(job, tmp_path):
    """Three at a time, as `--resources gpu=3` would start them, on two cards."""
    waiting, running, found = list(range(9)), [], []
    while waiting or running:
        running = [process for process in running if process.poll() is None]
        while waiting and len(running) < 3:
            running.append(job(waiting[-1], 1.5))
            note(tmp_path, waiting.pop())
        time.sleep(0.02)
    found = [note(tmp_path, i, "end") for i in range(9)]
    assert {f["slot"] for f in found} == {0, 1, 2}
    assert {f["device"] for f in found} == {"0", "1"}
    for i, a in enumerate(found):
        for b in found[i + 1 :]:
            if a["slot"] == b["slot"]:
                assert a["end"] <= b["start"] or b["end"] <= a["start"]


def test_a_slot_stands_for_its_number_modulo_the_gpus(job, tmp_path):
    for i in range(5):
        job(i, 60)
        note(tmp_path, i)
    found = [note(tmp_path, i) for i in range(5)]
    assert [(f["slot"], f["device"]) for f in found] == [(0, "0"), (1, "1"), (2, "0"), (3, "1"), (4, "0")]


def test_the_slot_of_a_killed_job_is_free_again(job, tmp_path):
    first = job("first", 60)
    assert note(tmp_path, "first")["slot"] == 0
    first.send_signal(signal.SIGKILL)
    first.wait()
    job("second", 60)
    assert note(tmp_path, "second")["slot"] == 0


def test_what_the_site_has_set_is_what_is_shared(job, tmp_path):
    for i, wanted in enumerate(("GPU-8f2c", "3", "GPU-8f2c")):
        job(i, 60, devices="GPU-8f2c,3")
        assert note(tmp_path, i)["device"] == wanted
    job("other", 60, devices="5")  # another share of the machine has slots of its own
    assert (note(tmp_path, "other")["slot"], note(tmp_path, "other")["device"]) == (0, "5")


def test_eight_cards_by_their_long_names_are_shared_too(job, tmp_path):
    devices = [f"GPU-{uuid.uuid4()}" for _ in range(8)]
    job("first", 60, devices=",".join(devices))
    assert note(tmp_path, "first")["device"] == devices[0]


@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_a_device_that_was_named_is_not_rebound(device, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with slots.held(device) as slot:
        assert slot is None and os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


@pytest.mark.parametrize("hidden", ["", "-1", "-1,0", "NoDevFiles"])
def test_hidden_gpus_are_not_shared(hidden, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    with slots.held("auto") as slot:
        assert slot is None


def test_gpus_are_counted_by_the_drivers_devices_and_numbered_as_cuda_does(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia10", "nvidia2", "nvidia0", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert slots.visible_devices(tmp_path) == ["0", "1", "2"]
    assert slots.visible_devices(tmp_path / "nowhere") == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,-1,2")
    assert slots.visible_devices() == ["3"]  # CUDA ignores what comes after an invalid one


@pytest.mark.parametrize(("device", "number"), [("auto", 2), ("cuda", 2), ("cuda:1", 1), ("cpu", 0)])
def test_one_job_for_each_gpu_is_the_default(device, number, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert slots.number(device) == number
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert slots.number(device) == 0


@pytest.mark.workflow
def test_snakemake_lets_as_many_jobs_run_at_once_as_there_are_gpus(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    snakemake(copy(tmp_path), "--", "results/data/digits28.npz")
    (log,) = (tmp_path / ".snakemake" / "log").glob("*.log")
    found = re.search(r"^Provided resources: .*gpu=\D*(\d+)", log.read_text(), re.MULTILINE)
    assert found and int(found[1]) == 2


def test_a_slot_is_taken_before_torch_is_imported(monkeypatch):
    import torch  # noqa: F401

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(RuntimeError, match="before torch is imported"), slots.held("auto"):
        pass


@pytest.mark.parametrize("script", ["train", "evaluate", "measure"])
def test_a_script_that_computes_takes_its_slot_before_it_loads_torch(script):
    """What a script does before `with`, done in a process of its own; torch comes with the rest."""
    tree = ast.parse((SCRIPTS / f"{script}.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.With))
    assert [ast.unparse(item.context_expr.func) for item in block.items] == ["logged", "slots.held"]
    before = "\n".join(ast.unparse(node) for node in tree.body[: tree.body.index(block)])
    check = f"import sys\n{before}\nassert 'torch' not in sys.modules, 'torch came before the slot'"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_every_script_that_is_given_a_device_takes_a_slot():
    given = [path for path in SCRIPTS.glob("*.py") if "resources.device" in path.read_text()]
    assert len(given) == 3
    assert all("slots.held(snakemake.resources.device)" in path.read_text() for path in given)
