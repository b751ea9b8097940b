"""The lines that Snakemake's output is reduced to."""

import logging
import time
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_pj import Estimate, LogHandler, duration


def handler(capsys, **settings):
    chosen = {"stdout": True, "dryrun": False, "verbose": False} | settings
    found = LogHandler(SimpleNamespace(**chosen), None)
    found.setFormatter(logging.Formatter())

    def say(message=None, level=logging.INFO, **extra):
        record = logging.LogRecord("snakemake", level, "", 0, message, (), None)
        record.__dict__.update(extra)
        found.emit(record)
        return capsys.readouterr().out

    return found, say


def test_a_finished_job_is_one_line_with_the_share_done_and_the_time_left(capsys):
    found, say = handler(capsys)
    assert (
        say("", event=LogEvent.RUN_INFO, stats={"train": 3, "all": 1, "total": 4})
        == "4 jobs: 3 train, 1 all\n"
    )
    job = {"rule_name": "train", "wildcards": {"run": "digits-mlp-1a2b3c4d", "seed": "2"}, "jobid": 7}
    assert say("long", event=LogEvent.JOB_INFO, **job) == ""
    found.started[7] = (*found.started[7][:2], time.monotonic() - 10)
    found.estimate.began = time.monotonic() - 10
    found.estimate.took["tables"] += [0.0] * 7
    assert say("", event=LogEvent.JOB_FINISHED, job_id=7) == ""
    line = say("None", event=LogEvent.PROGRESS, done=1, total=4)
    assert line.split() == ["1/4", "25", "%", "0:21", "left", "train", "digits-mlp-1a2b3c4d", "seed", "2"]


def test_errors_and_warnings_are_shown_and_chatter_is_not(capsys):
    _, say = handler(capsys)
    assert say("Select jobs to execute...") == ""
    assert say("disk is full", level=logging.ERROR) == "disk is full\n"
    assert say("Nothing to be done (all requested files are present).").startswith("Nothing to be done")


def test_a_dry_run_is_shown_as_ever(capsys):
    _, say = handler(capsys, dryrun=True)
    assert say("rule train:") == "rule train:\n"


def test_the_time_left_counts_each_rule_by_its_own_jobs_and_what_runs_side_by_side():
    estimate = Estimate(began=time.monotonic() - 50)
    assert estimate.left() is None
    estimate.total.update(train=4, tables=2)
    estimate.took["train"] += [40, 40]
    estimate.took["tables"] += [20]
    assert estimate.left() is None  # so few say little
    estimate.took["page"] += [0] * 5
    # 2 · 40 + 1 · 20 seconds of work, done at a rate of 100 seconds of work in 50
    assert estimate.left() == pytest.approx(50, abs=0.5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(42, "0:42"), (185, "3:05"), (7800, "2 h 10 min"), (3600 * 76, "3 days 4 h")],
)
def test_times_read_as_people_write_them(seconds, text):
    assert duration(seconds) == text
