"""Snakemake's output in one line per finished job: how much is done, the time left, and what was done.

A dry run is one line per job, with its reasons. Errors and warnings are Snakemake's own. Snakemake finds this
module by its name; ``logger: [pj]`` in profiles/default asks for it. The whole output is in .snakemake/log/.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from logging import WARNING, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from pj.durations import duration

FEWEST = 8  # finished jobs, before which the time left would be a guess
# What is left out of Snakemake's other messages.
CHATTER = (
    *("Assuming unrestricted", "Building DAG", "Using shell", "Provided", "Rules claiming", "Conda env"),
    *("Singularity", "Select jobs", "Config file ", "Elapsed time", "host: ", "Complete log"),
    *(
        "Some jobs were triggered",
        "Rules with provenance",
        "Job stats",
        "Reasons:",
        "This was a dry-run",
        "The run involves",
        "Would remove",
        "Resources",
    ),
)
NOT_YAML = "Config file is not valid JSON or YAML"  # Snakemake does not say which file, nor where
NOT_READ = "in _load_configfile"  # the end of a traceback
TARGETS = "\nIf one of the files is a target: targets come last, after `--`."
ADVICE = {  # what to do about some of Snakemake's messages
    "Workflow defines configfile": """
config.yaml is in the folder where results/ is written: the current one, or that of --directory FOLDER. Go to
such a folder, or give a whole configuration (one with `standalone: true`) with --configfile.
`pj init FOLDER` writes a new project.""",
    "No rule to produce": """
Targets are files below results/, such as results/studies/<study>/table.md. `pj runs` lists runs and
studies, with the --configfile of your call.""",
    NOT_YAML: TARGETS,
    "Directory cannot be locked": """
If no other snakemake is at work in this folder: `snakemake --unlock`, then call again.""",
}
STOPPED_JOB = ("exit status 130", "Signals.SIGINT")  # of a job that Ctrl-C ended before Snakemake noticed it
SCRIPT_FAILED = "CalledProcessError in file"
FAILED = "At least one job did not complete successfully"
INTERRUPTED = "Terminating processes on user request"
UP_TO_DATE = "Nothing to be done"
STOPPED = """\
Stopping. Finished work is kept and running trainings save their state; the same command continues."""


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
        self.interrupted = False
        self.brief = False  # a job failed that printed its own message

    def emit(self, record: LogRecord) -> None:
        """Write a record's line, if it has one."""
        try:
            line = self._line(record)
            if line:
                print(line, file=self.stream, flush=True)
        except BrokenPipeError:  # such as with `| head`
            self.stream = Path(os.devnull).open("w")  # noqa: SIM115
        except Exception:
            self.handleError(record)

    def _line(self, record: LogRecord) -> str | None:
        event, message = getattr(record, "event", None), record.getMessage()
        if self.common_settings.verbose:
            return self.format(record)
        if self.interrupted:  # errors of the jobs that were stopped
            return None
        if SCRIPT_FAILED in message and ".snakemake/scripts/" in message:
            self.brief = True  # the job has said what was wrong
            return None
        if self.brief and event == LogEvent.JOB_ERROR:
            return self._failed(record.__dict__)
        if self.brief and FAILED in message:
            return None
        problem = self.format(record) if record.levelno >= WARNING else ""
        if message.startswith(INTERRUPTED) or any(sign in problem for sign in STOPPED_JOB):
            self.interrupted = True
            return STOPPED
        if NOT_READ in message:
            return f"--configfile: {self._not_read(message.strip().splitlines()[-1])}{TARGETS}"
        if problem:
            advice = "".join(text for part, text in ADVICE.items() if part in message)
            return problem + self._yaml_faults(message) + (self._instead(message) or advice)
        if event in (LogEvent.DEBUG_DAG, LogEvent.SHELLCMD):  # which Snakemake logs on request
            return self.format(record)
        if event == LogEvent.RUN_INFO:
            return self._plan(record.__dict__["stats"])
        if event == LogEvent.JOB_INFO:
            return self._start(record.__dict__)
        if event == LogEvent.JOB_FINISHED:
            self._finish(record.__dict__["job_id"])
        elif event == LogEvent.PROGRESS:
            return self._progress(record.__dict__["done"], record.__dict__["total"])
        elif event is None and message.startswith(UP_TO_DATE):
            from pj.workflow import outputs  # here, since a faulty component makes this fail

            closing = outputs.closing_lines() if outputs.pages_asked() else []
            return "\n".join([f"{UP_TO_DATE}: everything is up to date.", *closing])
        elif event is None and message.strip() and not self._is_chatter(message):
            return self.format(record)
        return None

    @staticmethod
    def _is_chatter(message: str) -> bool:
        return message.lstrip().startswith(CHATTER) or "have missing provenance/metadata" in message

    @staticmethod
    def _not_read(error: str) -> str:
        """Return why a file of --configfile was not read; of one that is not there, with the nearest name."""
        from pj.config import yaml_files

        missing = re.search(r"No such file or directory: '(.+)'", error)
        return yaml_files.no_file(Path(missing[1])) if missing else error

    @staticmethod
    def _instead(message: str) -> str:
        """Return what there is instead of a target that no rule makes, if that is known."""
        from pj.workflow import outputs

        target = re.search(r"No rule to produce (\S+)", message)
        found = outputs.instead(target[1]) if target else ""
        return f"\n{found}" if found else ""

    def _yaml_faults(self, message: str) -> str:
        """Return what is wrong where in the configuration, if Snakemake could not read it."""
        if NOT_YAML not in message:
            return ""
        from pj.config import yaml_files

        given = [Path(argument) for argument in ("config.yaml", *sys.argv[1:])]
        files = [path for path in given if path.suffix in (".yaml", ".yml") and path.is_file()]
        return "".join(f"\n  {fault}" for path in files for fault in yaml_files.read(path)[1])

    def _plan(self, stats: dict[str, int]) -> str | None:
        if self.common_settings.dryrun and self.estimate.total and not self.started:
            return None  # the second time, with no jobs listed in between
        self.estimate = Estimate(total=Counter({k: n for k, n in stats.items() if k != "total"}))
        kinds = ", ".join(f"{n} {rule}" for rule, n in self.estimate.total.most_common())
        total = self.estimate.total.total()
        return f"{total} {'job' if total == 1 else 'jobs'}: {kinds}"

    def _start(self, job: dict[str, object]) -> str | None:
        rule, wildcards = str(job["rule_name"]), job["wildcards"]
        named = dict(wildcards) if isinstance(wildcards, dict) else {}
        parts = [f"{key} {value}" if key == "seed" else str(value) for key, value in named.items()]
        title = " ".join([rule, *parts])
        self.started[int(str(job["jobid"]))] = rule, title, time.monotonic()
        if not self.common_settings.dryrun:
            return None
        from pj.workflow import why  # here, since a faulty component makes this fail

        reason = str(job["reason"])
        words = why.words(rule, named, reason, why.workflow) if why.workflow else reason
        return f"  {title}  ({words})"

    def _finish(self, job: int) -> None:
        now = time.monotonic()
        if job not in self.started:  # with --quiet rules
            self.last = ""
            return
        rule, self.last, since = self.started.pop(job)
        self.estimate.took[rule].append(now - since)

    def _failed(self, job: dict[str, object]) -> str:
        logs = job.get("log")
        where = f", see {logs[0]}" if isinstance(logs, list) and logs else ""
        _, title, _ = self.started.pop(int(str(job["jobid"])), ("", str(job["rule_name"]), 0.0))
        return f"failed: {title}{where}"

    def _progress(self, done: int, total: int) -> str:
        seconds = self.estimate.left()
        left = "" if seconds is None or done == total else f"{duration(seconds)} left"
        width = len(str(total))
        return f"{done:{width}}/{total} {100 * done // total:3} %  {left:>16}  {self.last}"
