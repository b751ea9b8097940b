"""Event files for TensorBoard: one folder per run, with its curves and, for the tab HParams, its settings."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from pj.report.exports.runs import Run


def write(runs: Sequence[Run], folder: Path) -> str:
    """Write the runs, each into ``folder``/<its name>, and return the command that shows them."""
    for run in runs:
        with SummaryWriter(str(folder / run.name)) as writer:
            for key, value, epoch, time in run.scalars:
                writer.add_scalar(key, value, epoch, walltime=time)
            results = {f"selected/{key}": value for key, value in run.results.items()}
            for key, value in results.items():
                writer.add_scalar(key, value)
            # not add_hparams, which writes a second event file for each run
            for summary in hparams(run.settings | {"state": run.state}, results):
                writer.file_writer.add_summary(summary)
    return f"tensorboard --logdir {shlex.quote(str(folder))}"
