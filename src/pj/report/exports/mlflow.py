"""A tracking database of MLflow: one experiment per study, one MLflow run per run."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is loaded

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from pj.report.exports.runs import Run

MOST = 1000, 100  # metrics and parameters of one call


def write(runs: Sequence[Run], folder: Path) -> str:
    """Write the runs into ``folder``/mlflow.db, and return the command that shows them."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it names each step of making the database
    folder.mkdir(parents=True, exist_ok=True)
    address = f"sqlite:///{folder.resolve()}/mlflow.db"
    client = MlflowClient(tracking_uri=address)
    experiments: dict[str, str] = {}
    for run in runs:
        study = run.name.split("/")[0]
        if study not in experiments:
            place = (folder.resolve() / "artifacts" / study).as_uri()
            experiments[study] = client.create_experiment(study, artifact_location=place)
        _write(client, experiments[study], run)
    return f"mlflow ui --backend-store-uri {address}"


def _write(client: MlflowClient, experiment: str, run: Run) -> None:
    made = client.create_run(experiment, start_time=_milliseconds(run.started), run_name=run.name).info.run_id
    metrics = [Metric(key, value, _milliseconds(time), epoch) for key, value, epoch, time in run.scalars]
    ended = max((metric.timestamp for metric in metrics), default=_milliseconds(run.started))
    metrics += [Metric(f"selected/{key}", value, ended, 0) for key, value in run.results.items()]
    settings = [Param(key, str(value)) for key, value in run.settings.items()]
    for first in range(0, len(metrics), MOST[0]):
        client.log_batch(made, metrics=metrics[first : first + MOST[0]])
    for first in range(0, len(settings), MOST[1]):
        client.log_batch(made, params=settings[first : first + MOST[1]])
    client.log_batch(made, tags=[RunTag("state", run.state)])
    client.set_terminated(made, "FINISHED", end_time=ended)


def _milliseconds(seconds: float) -> int:
    return int(1000 * seconds)
