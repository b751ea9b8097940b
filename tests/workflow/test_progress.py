"""The lines that Snakemake's output is reduced to."""

import logging
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from pj.durations import duration
from pj.workflow import outputs, why
from snakemake_logger_plugin_pj import Estimate, LogHandler


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
    assert line.split() == ["1/4", "25", "%", "21", "s", "left", "train", "digits-mlp-1a2b3c4d", "seed", "2"]


def test_errors_and_warnings_are_shown_and_chatter_is_not(capsys):
    _, say = handler(capsys)
    assert say("Select jobs to execute...") == ""
    assert say("disk is full", level=logging.ERROR) == "disk is full\n"


def test_a_job_that_failed_with_its_own_message_is_one_more_line_with_its_log(capsys):
    _, say = handler(capsys)
    job = {"rule_name": "train", "wildcards": {"run": "digits-mlp-1a2b3c4d", "seed": "2"}, "jobid": 7}
    say("long", event=LogEvent.JOB_INFO, **job)
    script = "Command 'python .snakemake/scripts/tmp1.train.py' returned non-zero exit status 1."
    failed = f'RuleException:\nCalledProcessError in file "rules/train.smk", line 24:\n{script}'
    assert say(failed, level=logging.ERROR) == ""
    logs = ["results/logs/train/a.log"]
    line = say("Error in rule train", level=logging.ERROR, event=LogEvent.JOB_ERROR, log=logs, **job)
    assert line == "failed: train digits-mlp-1a2b3c4d seed 2, see results/logs/train/a.log\n"
    closing = "WorkflowError:\nAt least one job did not complete successfully."
    assert say(closing, level=logging.ERROR) == ""
    assert "Exiting" in say("Exiting because a job execution failed.", level=logging.ERROR)


def test_nothing_to_do_is_said_with_the_headline_and_the_page(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    _, say = handler(capsys)
    line = "Nothing to be done (all requested files are present)."
    assert say(line) == "Nothing to be done: everything is up to date.\n"
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "report.html").touch()
    (tmp_path / "results" / "claims.json").write_text('{"above": "**2 claims: 2 reproduced.**"}')
    assert "reproduced" not in say(line)  # only some files were asked for, and the page may be older
    monkeypatch.setattr(outputs, "pages_asked", lambda: True)
    assert say(line).splitlines()[1:] == ["2 claims: 2 reproduced.", "Open results/report.html"]


def test_an_interrupted_workflow_says_how_to_continue_and_not_that_its_jobs_failed(capsys):
    _, say = handler(capsys)
    assert "the same command continues" in say("Terminating processes on user request, this might take some")
    assert say("RuleException: CalledProcessError in train.smk", level=logging.ERROR) == ""
    assert say("At least one job did not complete successfully.", level=logging.ERROR) == ""


def test_a_file_that_is_not_yaml_is_named_with_its_line(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text("studies:\n  a: {b: [1, 2\nseeds: [0]\n")
    monkeypatch.setattr("sys.argv", ["snakemake", "--configfile", "my.yaml"])
    _, say = handler(capsys)
    found = say("WorkflowError: Config file is not valid JSON or YAML. In case of", level=logging.ERROR)
    assert "my.yaml: is not valid YAML" in found and "line 3" in found and "after `--`" in found


@pytest.mark.workflow
def test_a_configuration_file_that_is_not_there_is_one_line_and_says_where_targets_go(tmp_path):
    (tmp_path / "Snakefile").write_text("rule all:\n    input: []\n")
    (tmp_path / "mine.yaml").touch()
    command = ["-m", "snakemake", "-n", "--logger", "pj", "--configfile", "my.yaml", "results/table.md"]
    found = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
    lines = (found.stdout + found.stderr).splitlines()
    assert found.returncode == 1 and len(lines) == 2, found.stdout + found.stderr
    assert lines[0] == "--configfile: my.yaml: there is no such file. Did you mean 'mine.yaml'?"
    assert "after `--`" in lines[1]


def test_a_folder_without_config_yaml_gets_advice(capsys):
    _, say = handler(capsys)
    found = say("WorkflowError: Workflow defines configfile config.yaml but it is not", level=logging.ERROR)
    assert "--directory FOLDER" in found and "standalone: true" in found and "pj init" in found


def test_a_target_that_is_none_gets_advice(capsys):
    _, say = handler(capsys)
    found = say("MissingRuleException: No rule to produce results/studies/x/table.md", level=logging.ERROR)
    assert "such as results/studies/<study>/table.md" in found


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("results/studies/own/sweep.png", "own gets table.md, curves.png "),
        ("results/studies/own/sweep.png", "sweep.png of a study needs a sweep of one key, over numbers."),
        ("results/studies/onw/table.md", "Did you mean 'results/studies/own/table.md'?"),
        ("results/claimz.md", "results gets claims.md."),
    ],
)
def test_a_target_that_is_none_is_answered_with_what_there_is(capsys, monkeypatch, target, said):
    made = ["results/studies/own/table.md", "results/studies/own/curves.png", "results/claims.md"]
    monkeypatch.setattr(outputs, "known", made)
    _, say = handler(capsys)
    found = say(f"MissingRuleException: No rule to produce {target} (if you", level=logging.ERROR)
    assert said in found and "such as" not in found


def test_jobs_that_ctrl_c_ended_before_snakemake_noticed_are_no_errors(capsys):
    _, say = handler(capsys)
    failed = "RuleException: Command 'python train.py' returned non-zero exit status 130."
    assert "the same command continues" in say(failed, level=logging.ERROR)
    assert say("Error in rule train", level=logging.ERROR) == ""


def test_a_dry_run_is_one_line_per_job_with_its_reasons(capsys, monkeypatch):
    monkeypatch.setattr(why, "workflow", SimpleNamespace(runs={}, config=None, results=None))
    _, say = handler(capsys, dryrun=True)
    stats = {"train": 1, "total": 1}
    assert say("Job stats: …", event=LogEvent.RUN_INFO, stats=stats) == "1 job: 1 train\n"
    job = {"rule_name": "train", "wildcards": {"run": "digits-mlp-1a2b3c4d", "seed": "2"}, "jobid": 7}
    for reason, words in (
        ("Missing output files: results/a; Params have changed since last execution", "not made yet"),
        ("Params have changed since last execution: x", "other settings or code"),
        ("Software stack", "Software stack"),
    ):
        line = say("long", event=LogEvent.JOB_INFO, reason=reason, **job)
        assert line.strip() == f"train digits-mlp-1a2b3c4d seed 2  ({words})"
    assert say("This was a dry-run (flag -n). The order of jobs does not reflect the order.") == ""


def test_shell_commands_and_the_graph_are_shown_to_those_who_ask_for_them(capsys):
    _, say = handler(capsys)
    assert say("python x.py", event=LogEvent.SHELLCMD) == "python x.py\n"


def test_a_closed_pipe_ends_the_output_without_a_traceback(capsys):
    found, say = handler(capsys)

    class Closed:
        def write(self, text):
            raise BrokenPipeError

    found.stream = Closed()
    say("disk is full", level=logging.ERROR)
    assert "Traceback" not in capsys.readouterr().err


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
    [(42, "42 s"), (185, "3:05 min"), (7800, "2 h 10 min"), (3600 * 76, "3 days 4 h")],
)
def test_times_read_as_people_write_them(seconds, text):
    assert duration(seconds) == text
