"""What every job does around its work."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from helpers.project import ROOT, copy, planned, snakemake
from pj.workflow.outputs import closing_lines


def job(body: str, log) -> subprocess.CompletedProcess:
    code = f"""
import atexit, sys
atexit.register(lambda: print("ended in order"))
from pj.errors import UserError
from pj.workflow.jobs import logged
with logged({str(log)!r}):
    print("work")
    {body}
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_job_that_went_well_ends_at_once_and_loses_no_output(tmp_path):
    done = job("pass", tmp_path / "a" / "log")
    assert (done.returncode, done.stdout) == (0, "work\n")


def test_a_users_error_is_a_message_in_log_and_terminal_and_fails_the_job(tmp_path):
    done = job("raise UserError('no such image')", tmp_path / "log")
    assert done.returncode == 1
    assert done.stderr == "no such image\n" and "no such image" in (tmp_path / "log").read_text()


def test_a_gpu_without_memory_is_a_message_that_says_what_helps(tmp_path):
    body = "raise type('OutOfMemoryError', (RuntimeError,), {})('CUDA out of memory.\\nmore')"
    done = job(body, tmp_path / "log")  # torch's own, without loading torch
    assert done.returncode == 1
    assert re.fullmatch(
        r"this does not fit the memory .*CUDA out of memory\. Let fewer jobs .*\n", done.stderr
    )


def test_any_other_error_fails_the_job_with_its_traceback(tmp_path):
    done = job("raise KeyError('x')", tmp_path / "log")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "Traceback" in (tmp_path / "log").read_text()


def test_a_job_that_compiled_ends_its_compiling_processes_in_order(tmp_path):
    done = job("sys.modules['torch._inductor'] = sys", tmp_path / "log")
    assert done.stdout == "work\nended in order\n"


@pytest.mark.workflow
def test_the_quick_run_uses_every_rule(tmp_path):
    output = snakemake(copy(tmp_path), "-n", "--quiet", "rules", config=("config.quick.yaml",))
    texts = [path.read_text() for path in (ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk"))]
    rules = {
        name for text in texts for name in re.findall(r"^rule (\w+):|^use rule \w+ as (\w+)", text, re.M)
    }
    # its networks are pj's own, so that none has to be built to be checked (test_own_images does)
    assert {first or second for first, second in rules} - {"all", "network"} == planned(output).keys()


def test_a_workflow_ends_with_the_headline_of_the_page_that_it_wrote(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert closing_lines(since=0) == []
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "report.html").write_text("")
    assert closing_lines(since=0) == ["Open results/report.html"]
    (tmp_path / "results" / "claims.json").write_text(json.dumps({"above": "**2 claims: 2 reproduced.**"}))
    assert closing_lines(since=0) == ["2 claims: 2 reproduced.", "Open results/report.html"]
    os.utime(tmp_path / "results" / "report.html", (1, 1))
    assert closing_lines(since=2) == []  # a page of an earlier call


def test_ctrl_c_ends_a_job_that_is_starting_without_a_traceback_and_another_sitecustomize_runs_too(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('the other one', flush=True)")
    startup = ROOT / "src" / "pj" / "workflow" / "startup"
    environment = {**os.environ, "PJ_JOB": "1", "PYTHONPATH": f"{startup}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(60)"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    job = subprocess.Popen(command, env=environment, **pipes)
    assert [job.stdout.readline() for _ in range(2)] == ["the other one\n", "started\n"]
    job.send_signal(signal.SIGINT)
    assert job.communicate(timeout=30)[1] == "" and job.returncode == -signal.SIGINT
