"""The benchmarks run on any machine, at sizes that measure nothing."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from pj.data.facts import Known

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def called(monkeypatch):
    """Return a function that runs a benchmark's main with arguments."""
    monkeypatch.syspath_prepend(BENCHMARKS)

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        importlib.import_module(name).main()

    return call


def test_the_gpus_benchmark_measures_each_way_once_and_continues_where_it_stopped(
    called, tmp_path, monkeypatch, capsys
):
    file = tmp_path / "steps.json"
    tiny = ["--networks", "lenet", "--batch", 4, "--images", 200, "--seconds", 0, "--device", "cpu"]
    called("gpu", file, *tiny, "--ways", "eager", "report")
    before = json.loads(file.read_text())
    assert before.keys() == {"conditions", "device", "lenet eager", "lenet report"}
    with pytest.raises(SystemExit, match=r"'batch': 4.* not .*'batch': 8.*; name another file"):
        called("gpu", file, *tiny, "--batch", 8)
    with pytest.raises(SystemExit, match=r"'workers': 2.* not .*'workers': 3.*; name another file"):
        called("gpu", file, *tiny, "--workers", 3)
    monkeypatch.setattr(sys.modules["gpu"], "device_rate", None)  # to be called would be an error
    called("gpu", file, *tiny, "--ways", "eager", "captured", "v2", "sam")
    found = json.loads(file.read_text())
    assert found.keys() - before.keys() == {"lenet captured", "lenet v2", "lenet sam"}
    assert before.items() <= found.items()
    for one, gradients in ((found["lenet sam"], 2), (found["lenet eager"], 1)):  # of LeNet's 416,520 MACs
        assert one["tflops"] * 1e12 == pytest.approx(6 * 416_520 * gradients * one["images_per_second"])
    assert "lenet sam" in capsys.readouterr().out


def test_the_benchmark_of_a_shared_card_measures_each_number_of_runs_once(called, tmp_path, capsys):
    file = tmp_path / "sharing.json"
    tiny = ["--networks", "lenet", "--batch", 4, "--images", 200, "--piece", 1, "--seconds", 0]
    called("sharing", file, *tiny, "--runs", 1, "--device", "cpu")
    conditions, alone = json.loads(file.read_text()).values()
    found = {"conditions": conditions, "lenet 1": 2 * alone, "lenet 2": 3 * alone}
    file.write_text(json.dumps(found))  # is not measured again
    called("sharing", file, *tiny, "--runs", 1, 2, "--device", "cpu")
    assert "1.50x one run alone" in capsys.readouterr().out


def test_the_trainers_benchmark_compares_with_the_reports_loop(called, capsys):
    called("trainer", "--networks", "lenet", "--threads", 1, "--workers", 1, "--steps", 1, "--rounds", 1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0].strip() for line in lines if " ms " in line][:2] == [
        "report's loop",
        "this trainer",
    ]
    assert "1.00x" in next(line for line in lines if "report's loop" in line)


def test_the_final_recipes_benchmark_measures_one_way_alone(called, monkeypatch, capsys):
    monkeypatch.setattr(importlib.import_module("headline"), "BATCH", 4)
    tiny = ["--depth", 10, "--widen-factor", 1, "--steps", 1, "--rounds", 1, "--device", "cpu"]
    called("headline", *tiny, "--ways", "plain")
    lines = capsys.readouterr().out.splitlines()
    assert "0 steps replayed" in lines[-1] and lines[-1].startswith("plain")
    assert not any("compiled" in line for line in lines)


def test_the_operations_of_trainings_are_counted_without_held_out_images(called, tmp_path, spec, capsys):
    flops = importlib.import_module("flops")
    run = spec(model={"name": "lenet"}, data={"name": "d", "validation": 437}, batch_size=100, epochs=2)
    images = {"d": Known(1437, 360, "1x28")}
    counted = flops.operations(run, images, {})
    assert counted == 6 * 416_520 * 1000 * 2  # a multiply-add is two, a backward pass two forward passes
    (tmp_path / "my.yaml").write_text("datasets: {cifar10: {source: npz, path: nowhere.npz, classes: 10}}")
    with pytest.raises(SystemExit, match="images of cifar10 is known once it is prepared"):
        called("flops", BENCHMARKS.parent / "config.yaml", tmp_path / "my.yaml")
