"""What every job of the workflow does around its work."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from pj.errors import told

_stopping = False  # since a signal


def share_package() -> None:
    """Let the jobs of this process import this very `pj`, whatever environment they run in.

    They also learn that they are jobs, which Ctrl-C ends while they start (startup/sitecustomize.py).
    An installed one they find by themselves, because Snakemake appends its own site-packages to their path.
    In front they would hide the packages of a conda environment.
    """
    os.environ["PJ_JOB"] = "1"
    folder = Path(__file__).parents[2]
    installed = folder.resolve() == Path(sysconfig.get_path("purelib")).resolve()
    startup = str(Path(__file__).parent / "startup")
    paths = [startup, "" if installed else str(folder), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def collect_rarely() -> None:
    """Look for garbage less often: imports make a million objects and no garbage."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def stop_at_signals() -> None:
    """Stop the workflow at SIGTERM, and at SIGHUP (a closed terminal), as at Ctrl-C, and its jobs with it.

    Snakemake itself waits until all jobs have ended at the first, and dies at the second, leaving jobs and a
    lock. It is to be called after Snakemake has set its own handlers. What is ignored, as by nohup, stays so.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    """Stop as at Ctrl-C. A further signal goes to the jobs alone: Snakemake is waiting for them already."""
    global _stopping
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.Error):
            child.send_signal(signal.SIGINT)
    if not (_stopping and children):
        _stopping = True
        raise KeyboardInterrupt


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send `pj`'s log to a job's log file; after an error of a user's or a full GPU, exit with one message.

    The process ends when all went well: this is the last that a job does.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    collect_rarely()
    logger = logging.getLogger("pj")
    logger.setLevel(logging.INFO)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, encoding="utf-8")  # a resumed run appends to its log
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)  # progress goes to the log only, not between other jobs' lines
    logger.addHandler(file)
    logger.addHandler(console)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        if (message := told(error)) is not None:
            logger.error("%s", message)
            sys.exit(1)
        logger.exception("failed")
        raise
    finally:
        logger.removeHandler(file)
        logger.removeHandler(console)
        file.close()
    _exit()


def _exit() -> None:
    """End the process at once: PyTorch's own end takes half a second, as long as many a small run."""
    if "torch._inductor" in sys.modules:
        return  # its compiling processes are ended in order
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
