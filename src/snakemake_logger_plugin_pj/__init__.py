"""Snakemake's output in one line per finished job: how much is done, the time left, and what was done.

Snakemake finds this module by its name; ``logger: [pj]`` in profiles/default asks for it. Errors, warnings
and dry runs look as they do without it, and the whole output is in .snakemake/log/.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from logging import WARNING, LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

FEWEST = 8  # finished jobs, before which the time left would be a guess
# What is left out of Snakemake's other messages.
CHATTER = (
    *("Assuming unrestricted", "Building DAG", "Using shell", "Provided", "Rules claiming", "Conda env"),
    *("Singularity", "Select jobs", "Config file", "Elapsed time", "host: ", "Complete log"),
)


def duration(seconds: float) -> str:
    """Return a time as people write it: 0:42, 3:05, 2 h 10 min, 3 days 4 h."""
    minutes = round(seconds / 60)
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    if minutes < 2 * 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // (24 * 60)} days {minutes // 60 % 24} h"


@dataclass
class Estimate:
    """The time left, from how long each rule's jobs took; rules not seen yet count as average."""

    total: Counter[str] = field(default_factory=Counter)  # jobs by rule
    took: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # seconds
    began: float = field(default_factory=time.monotonic)

    def left(self) -> float | None:
        """Return the seconds left; None before anything has finished."""
        spent = sum(map(sum, self.took.values()))
        if spent <= 0 or sum(map(len, self.took.values())) < FEWEST:
            return None
        average = spent / sum(map(len, self.took.values()))
        work = 0.0
        for rule, count in self.total.items():
            found = self.took.get(rule, [])
            work += max(0, count - len(found)) * (sum(found) / len(found) if found else average)
        return work * (time.monotonic() - self.began) / spent  # jobs run side by side


class LogHandler(LogHandlerBase):
    """Writes to the terminal what Snakemake logs, briefly."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False  # Snakemake's own, which knows --quiet
    has_formatter = False  # Snakemake's own, of errors and dry runs
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Begin with no jobs."""
        self.stream = sys.stdout if self.common_settings.stdout else sys.stderr
        self.estimate = Estimate()
        self.started: dict[int, tuple[str, str, float]] = {}  # rule, title, since when
        self.last = ""

    def emit(self, record: LogRecord) -> None:
        """Write a record's line, if it has one."""
        try:
            line = self._line(record)
            if line:
                print(line, file=self.stream, flush=True)
        except BrokenPipeError:
            raise
        except Exception:
            self.handleError(record)

    def _line(self, record: LogRecord) -> str | None:
        event = getattr(record, "event", None)
        if self.common_settings.dryrun or self.common_settings.verbose or record.levelno >= WARNING:
            return self.format(record)
        if event == LogEvent.RUN_INFO:
            return self._plan(record.__dict__["stats"])
        if event == LogEvent.JOB_INFO:
            self._start(record.__dict__)
        elif event == LogEvent.JOB_FINISHED:
            self._finish(record.__dict__["job_id"])
        elif event == LogEvent.PROGRESS:
            return self._progress(record.__dict__["done"], record.__dict__["total"])
        elif event is None and not record.getMessage().startswith(CHATTER):
            return self.format(record)
        return None

    def _plan(self, stats: dict[str, int]) -> str:
        self.estimate = Estimate(total=Counter({k: n for k, n in stats.items() if k != "total"}))
        kinds = ", ".join(f"{n} {rule}" for rule, n in self.estimate.total.most_common())
        return f"{self.estimate.total.total()} jobs: {kinds}"

    def _start(self, job: dict[str, object]) -> None:
        rule, wildcards = str(job["rule_name"]), job["wildcards"]
        named = dict(wildcards) if isinstance(wildcards, dict) else {}
        parts = [f"{key} {value}" if key == "seed" else str(value) for key, value in named.items()]
        self.started[int(str(job["jobid"]))] = rule, " ".join([rule, *parts]), time.monotonic()

    def _finish(self, job: int) -> None:
        now = time.monotonic()
        if job not in self.started:  # with --quiet rules
            self.last = ""
            return
        rule, self.last, since = self.started.pop(job)
        self.estimate.took[rule].append(now - since)

    def _progress(self, done: int, total: int) -> str:
        seconds = self.estimate.left()
        left = "" if seconds is None or done == total else f"{duration(seconds)} left"
        width = len(str(total))
        return f"{done:{width}}/{total} {100 * done // total:3} %  {left:>13}  {self.last}"
