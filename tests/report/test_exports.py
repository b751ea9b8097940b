"""pj export: finished runs for TensorBoard and MLflow. What needs an optional extra is skipped without it."""

import math
import os
import sys

import pytest

from helpers.results import CONFIG, write_run
from pj import cli
from pj.config import loading
from pj.report.exports import runs


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A project of which three runs have finished, one of them diverged."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("claims: claims.yaml", ""))
    monkeypatch.chdir(tmp_path)
    study = loading.load("config.yaml").study("own")
    slow, fast = study.variants
    write_run(tmp_path / "results" / "runs", slow, 0, 50.0)
    write_run(tmp_path / "results" / "runs", slow, 2, 52.0)
    write_run(tmp_path / "results" / "runs", fast, 0, 40.0, state="diverged")
    return study


def test_every_finished_run_is_exported_with_its_settings_curves_and_accuracies(own, tmp_path):
    first, _, diverged = found = runs.finished([own], tmp_path / "results" / "runs")
    assert [run.name for run in found] == ["own/slow/seed0", "own/slow/seed2", "own/fast_1.5/seed0"]
    assert (first.settings["optimizer.lr"], diverged.settings["optimizer.lr"]) == (0.1, 0.2)
    assert (first.settings["model.name"], first.settings["seed"], found[1].settings["seed"]) == ("mlp", 0, 2)
    points = {(key, epoch): value for key, value, epoch, _ in first.scalars}
    assert points["train_loss", 2] == 0.5 and points["validation_accuracy", 1] == 50.0
    assert first.results == dict.fromkeys(("train_accuracy", "validation_accuracy", "test_accuracy"), 50.0)
    assert (diverged.state, diverged.results) == ("diverged", {})


def test_points_are_dated_by_the_seconds_since_the_training_began(own, tmp_path):
    folder = tmp_path / "results" / "runs" / own.variants[0].spec.run / "seed0"
    lines = (folder / "metrics.csv").read_text().splitlines()
    timed = [f"{line},{end}" for line, end in zip(lines, ("seconds", 4.0, 10.0), strict=True)]
    (folder / "metrics.csv").write_text("\n".join(timed))
    os.utime(folder / "run.json", (1e9, 1e9))  # written as the training ended
    first = runs.finished([own], tmp_path / "results" / "runs")[0]
    assert first.started == 1e9 - 10.0
    assert {(epoch, date) for _, _, epoch, date in first.scalars} == {(1, 1e9 - 6.0), (2, 1e9)}


@pytest.mark.parametrize("program", ["tensorboard", "mlflow"])
def test_an_export_without_its_extra_is_one_message_that_says_how_to_install_it(
    own, tmp_path, monkeypatch, capsys, program
):
    monkeypatch.setitem(sys.modules, program, None)
    for loaded in (f"pj.report.exports.{program}", "torch.utils.tensorboard"):
        monkeypatch.delitem(sys.modules, loaded, raising=False)
    assert cli.main(["export", program, "out"]) == 1
    said = f"pj: {program} is not installed; it is an optional extra: pip install {program}\n"
    assert capsys.readouterr().err == said and not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_and_a_study_without_runs_are_refused(own, tmp_path, capsys):
    assert cli.main(["export", "tensorboard", "results"]) == 1
    assert "results is not empty; choose a new folder" in capsys.readouterr().err
    assert cli.main(["export", "tensorboard", "out", "--study", "onw"]) == 1
    assert "Did you mean 'own'?" in capsys.readouterr().err
    (tmp_path / "results" / "runs").rename(tmp_path / "elsewhere")
    assert cli.main(["export", "tensorboard", "out"]) == 1
    assert "holds no finished run of own" in capsys.readouterr().err


def test_tensorboard_reads_the_curves_and_settings_that_were_written(own, tmp_path, capsys):
    pytest.importorskip("tensorboard", reason='needs the extra "tensorboard"')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    assert cli.main(["export", "tensorboard", "out", "--study", "own"]) == 0
    assert "3 runs written to out; to see them: tensorboard --logdir out" in capsys.readouterr().out
    files = sorted(path.parent.relative_to(tmp_path / "out") for path in tmp_path.glob("out/**/events.*"))
    assert list(map(str, files)) == ["own/fast_1.5/seed0", "own/slow/seed0", "own/slow/seed2"]
    events = EventAccumulator(str(tmp_path / "out" / "own" / "slow" / "seed2")).Reload()
    points = [(event.step, event.value) for event in events.Scalars("train_loss")]
    assert points == [(1, 1.0), (2, 0.5)]
    assert [event.value for event in events.Scalars("selected/test_accuracy")] == [52.0]
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    settings = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert settings["optimizer.lr"].number_value == 0.1 and settings["model.name"].string_value == "mlp"
    diverged = EventAccumulator(str(tmp_path / "out" / "own" / "fast_1.5" / "seed0")).Reload()
    assert math.isnan(diverged.Scalars("train_loss")[-1].value)


def test_mlflow_reads_the_curves_and_settings_that_were_written(own, tmp_path, capsys):
    pytest.importorskip("mlflow", reason='needs the extra "mlflow"')
    from mlflow.tracking import MlflowClient

    assert cli.main(["export", "mlflow", "out"]) == 0
    client = MlflowClient(tracking_uri=capsys.readouterr().out.split("--backend-store-uri ")[1].strip())
    experiment = client.get_experiment_by_name("own")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert found.keys() == {"own/slow/seed0", "own/slow/seed2", "own/fast_1.5/seed0"}
    run = found["own/slow/seed2"]
    assert (run.data.params["optimizer.lr"], run.data.tags["state"]) == ("0.1", "complete")
    points = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "train_loss")]
    assert points == [(1, 1.0), (2, 0.5)] and run.data.metrics["selected/test_accuracy"] == 52.0
