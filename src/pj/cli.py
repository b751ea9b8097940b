"""The command `pj`: what the workflow does, by hand, and what it is doing."""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pj import files
from pj.config import loading
from pj.config.messages import choice_fault
from pj.config.settings import Order, Study
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.runs import records
from pj.runs.fingerprint import run_fingerprint

RESULTS = Path("results")
STALE = 60.0  # seconds after which a silent run is shown as such


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit status; a user's error is one message, no traceback."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.command(options) or 0)
    except UserError as error:
        print(f"pj: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pj", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        sub.add_argument(
            "--configfile",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="an overlay of loading.yaml; may be given several times",
        )
        return sub

    train = command("train", _train, "train one run of a study into a folder, without Snakemake")
    train.add_argument("study")
    train.add_argument("variant")
    train.add_argument("--seed", type=_seed, default=0)
    train.add_argument("--data", type=Path, help="default: results/data/<dataset>.npz")
    train.add_argument("--output", type=Path, required=True, help="folder of the run")
    train.add_argument(
        "--max-seconds",
        type=_count,
        metavar="N",
        help="end after so long with exit status 75; the same command goes on (default: loading.yaml's)",
    )

    command("runs", _runs, "list every run: what it serves, its state and its test accuracy")

    watch = command("watch", _watch, "show the progress of all runs in training")
    watch.add_argument("--once", action="store_true", help="print once instead of every two seconds")

    table = command("table", _table, "print a study's table from whatever runs are there")
    table.add_argument("study")

    prune = command("prune", _prune, "export a finished run without some of its units, as a smaller network")
    prune.add_argument("run", type=Path, help="folder of the run, such as results/runs/<run>/seed0")
    prune.add_argument("--layers", nargs="+", required=True, metavar="LAYER", help="conv3, linear1, …")
    prune.add_argument("--percent", type=float, required=True, help="of each layer's units, in [0, 100)")
    prune.add_argument(
        "--order",
        choices=get_args(Order),
        default="magnitude",
        help="in which units go (default: magnitude, the smallest first)",
    )
    prune.add_argument("--data", type=Path, help="default: results/data/<dataset>.npz")
    prune.add_argument(
        "--output", type=Path, required=True, help="a .pt2 file, which torch.export.load reads"
    )

    report = command("report", _report, "write the scorecard with all tables and figures as a page")
    report.add_argument(
        "--from",
        dest="sources",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="what pj keep kept, such as reference/<machine>; of several each is judged by itself; "
        "default: results. Claims are those of the configuration here (--configfile)",
    )
    report.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="a .html (one file that needs nothing else) or a .md, which links to the figures; default: "
        "report.html and report.md in the folder, of several in the one that holds them",
    )

    command("doctor", _doctor, "say what this machine has for the workflow, and what to do about faults")

    keep = command("keep", _keep, "copy the tables and figures of all that is finished, with provenance")
    keep.add_argument("folder", type=Path, help="such as reference/<machine>")
    return parser


def _load(options: argparse.Namespace) -> loading.Config:
    return loading.load("config.yaml", *options.configfile)


def _study(loaded: loading.Config, name: str) -> Study:
    if name not in loaded.settings.studies:
        raise UserError(choice_fault(("study",), name, loaded.settings.studies))
    return loaded.study(name)


def _train(options: argparse.Namespace) -> None:
    from pj.training import loop  # loads torch

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    loaded = _load(options)
    variants = {v.name: v for v in _study(loaded, options.study).variants}
    if options.variant not in variants:
        raise UserError(choice_fault(("variant",), options.variant, variants))
    spec = variants[options.variant].spec
    _refuse_another_run(options.output, spec, options.seed)
    code = run_fingerprint(Path(loop.__file__), spec)
    if (options.output / records.RUN).exists() and records.read_run(options.output)["code"] == code:
        state = records.state(options.output)
        print(f"{options.output} holds this run already, {state}; delete it to train it again")
        return
    loop.train(
        spec,
        options.seed,
        options.data or RESULTS / "data" / f"{spec.data.name}.npz",
        options.output,
        code=code,
        resume=options.output / ".resume",
        device=loaded.settings.device,
        threads=loaded.settings.threads,
        max_seconds=options.max_seconds or loaded.settings.max_seconds,
    )


def _refuse_another_run(folder: Path, spec: RunSpec, seed: int) -> None:
    """Raise UserError if ``folder`` cannot be written or holds a finished run of something else."""
    files.check_writable(folder)
    if not (folder / records.RUN).exists():
        return
    record = records.read_run(folder)
    if (record["spec"], record["seed"]) != (json.loads(spec.json_text), seed):
        raise UserError(f"{folder} holds a finished run of something else; choose another --output")


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 0, 1, 2, …")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1, 2, …")
    return int(text)


def _runs(options: argparse.Namespace) -> None:
    rows = []
    for name, run in _load(options).runs().items():
        serves = ", ".join(f"{study}/{variant}" for study, variant in run.serves)
        for seed in run.seeds:
            state, accuracy = _state(RESULTS / "runs" / name / f"seed{seed}")
            rows.append((name, str(seed), state, accuracy, serves))
    _print_table(("run", "seed", "state", "test %", "serves"), rows)


def _state(folder: Path) -> tuple[str, str]:
    """Return a run's state and its selected test accuracy, as far as they are known."""
    for file in (records.EVALUATION, records.RUN):
        record = _json(folder / file)
        if "state" in record:
            accuracy = ((record.get("selected") or {}).get("test") or {}).get("accuracy")
            return record["state"], "" if accuracy is None else f"{accuracy:.2f}"
    run, seed = folder.parent.name, folder.name
    if _alive(_json(RESULTS / ".progress" / f"{run}-{seed}.json"), time.time()):
        return "training", ""
    return ("stopped" if any((RESULTS / ".resume").glob(f"{run}-*/{seed}/*.pt")) else "-"), ""


def _alive(progress: dict[str, Any], now: float) -> bool:
    """Whether the process that wrote a progress file is still at work, as far as can be told from here."""
    if progress.get("host") == socket.gethostname():
        try:
            os.kill(progress["pid"], 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # alive, and somebody else's
    return now - progress.get("time", 0) < STALE


def _json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is none or only a part of one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _watch(options: argparse.Namespace) -> None:
    while True:
        lines = progress_lines(RESULTS / ".progress", time.time())
        if options.once or not sys.stdout.isatty():
            print("\n".join(lines))
            return
        print("\x1b[2J\x1b[H" + "\n".join(lines), flush=True)
        try:
            time.sleep(2)
        except KeyboardInterrupt:
            return


def progress_lines(folder: Path, now: float) -> list[str]:
    """Return a line for each run in training, from the small files that they write."""
    lines = []
    for path in sorted(folder.glob("*.json")):
        p = _json(path)
        if not p.keys() >= {"run", "seed", "epoch", "epochs", "step", "steps", "seconds", "time", "last"}:
            continue  # it has just ended
        done = (p["epoch"] + p["step"] / p["steps"]) / p["epochs"]
        bar = "█" * round(20 * done)
        left = p["seconds"] * (1 - done) / done if done else float("nan")
        last = p["last"].get("test_accuracy")
        parts = [
            f"{p['run']:40} seed {p['seed']:<3} {bar:20} {100 * done:5.1f} %",
            f"epoch {p['epoch'] + 1}/{p['epochs']}",
            *([] if last is None else [f"test {last:.2f} %"]),
            f"{_duration(left)} left" if _alive(p, now) else f"no word for {now - p['time']:.0f} s",
        ]
        lines.append("  ".join(parts))
    return lines or ["nothing is in training"]


def _duration(seconds: float) -> str:
    if seconds != seconds:
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _table(options: argparse.Namespace) -> None:
    from pj.report.tables import studies  # loads pandas

    print(studies.sheet(studies.collect(_study(_load(options), options.study), RESULTS / "runs")).markdown())


def _prune(options: argparse.Namespace) -> None:
    from pj.config.settings import Percents
    from pj.pruning import curve  # load torch
    from pj.runs import finished

    if not 0 <= options.percent < 100:
        raise UserError(f"--percent {options.percent:g}; allowed: from 0 to less than 100")
    if len(set(options.layers)) < len(options.layers):
        raise UserError(f"--layers {' '.join(options.layers)}; allowed: each once")
    if options.output.suffix != ".pt2" or options.output.is_dir():
        raise UserError(f"--output {options.output}; allowed: a file whose name ends in .pt2")
    files.check_writable(options.output.parent)
    path = RESULTS / "data" / f"{records.read_run(options.run)['spec']['data']['name']}.npz"
    run = finished.load(options.run, options.data or path, device="cpu", precision="fp32")
    settings = Percents(layers=options.layers, percents=[options.percent], draws=1)
    row = curve.export(run, settings, options.order, options.output)
    before, after = row["whole"], row["size"]
    removed = ", ".join(f"{count:,} of {name}" for name, count in row["removed"].items())
    left = f"{after['parameters']:,} of {before['parameters']:,} parameters"
    left += f", {after['nonzero']:,} of them not zero"
    print(f"removed {removed}; test accuracy {row['accuracy']:.2f} %")
    print(left)
    print(f"{after['macs']:,} of {before['macs']:,} MACs an image; written to {options.output}")


def _report(options: argparse.Namespace) -> None:
    from pj.claims import schema, verdicts  # load pandas
    from pj.claims.evidence import Evidence
    from pj.report.pages import html, markdown
    from pj.report.pages.source import Source, kept
    from pj.report.tables import claims

    writers = {".html": html.write, ".md": markdown.write}
    if options.output and options.output.suffix not in writers:
        raise UserError(f"--output {options.output}; allowed: a file whose name ends in .html or .md")
    loaded = _load(options)
    folders = sorted(set(options.sources or [RESULTS]))
    several = len(folders) > 1
    sources = (
        [kept(folder, folder.name if several else "") for folder in folders]
        if options.sources
        else [Source(Evidence(RESULTS), loaded, kept=True)]
    )
    if len({source.name for source in sources}) < len(sources):
        raise UserError(f"--from {' '.join(map(str, folders))}; allowed: folders of different names")
    judgements = verdicts.judge(schema.of(loaded), [source.evidence for source in sources], loaded)
    place = folders[0].parent if several else folders[0]
    outputs = [options.output] if options.output else [place / "report.html", place / "report.md"]
    for output in outputs:
        writers[output.suffix](judgements, sources, output)
    written = " and ".join(map(str, outputs))
    print(f"{claims.headline(judgements)}; written to {written}")


def _doctor(options: argparse.Namespace) -> int:
    from pj.workflow import doctor

    findings = []
    for finding in doctor.examine(lambda: _load(options), RESULTS):
        print(finding, flush=True)
        findings.append(finding)
    return int(any(finding.remedy and finding.fault for finding in findings))


def _keep(options: argparse.Namespace) -> None:
    from pj.report.pages.keep import keep  # loads pandas

    kept = keep(_load(options), RESULTS, options.folder)
    if not kept:
        raise UserError(f"{RESULTS.absolute()} holds no finished run of this configuration (--configfile)")
    print(f"kept in {options.folder}: {', '.join(kept)}")


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
