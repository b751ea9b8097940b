"""What every job does around its work."""

import subprocess
import sys


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


def test_any_other_error_fails_the_job_with_its_traceback(tmp_path):
    done = job("raise KeyError('x')", tmp_path / "log")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "Traceback" in (tmp_path / "log").read_text()


def test_a_job_that_compiled_ends_its_compiling_processes_in_order(tmp_path):
    done = job("sys.modules['torch._inductor'] = sys", tmp_path / "log")
    assert done.stdout == "work\nended in order\n"
