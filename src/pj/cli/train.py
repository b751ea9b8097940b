"""pj train: one run of a study into a folder, without Snakemake."""

from __future__ import annotations

import argparse
import json
import logging
import shlex
from pathlib import Path

from pj import files
from pj.cli.common import RESULTS, load, study_argument, study_of, variants
from pj.config.messages import choice_fault
from pj.config.spec import RunSpec, checks
from pj.errors import UserError
from pj.runs import records
from pj.runs.fingerprint import run_fingerprint

EXAMPLES = {
    "pj train loss mse --output mse": "variant mse of study loss, seed 0, into the folder mse",
    "pj train loss mse --seed 3 --data digits.npz --output mse3": "another seed, prepared data elsewhere",
    "pj train loss mse --output mse --max-seconds 600": "at most ten minutes; the same command continues",
}
EXIT_CODES = {
    75: "time limit reached (--max-seconds); the same command continues",
    130: "interrupted (Ctrl-C), state saved; the same command continues",
    143: "the same, terminated (SIGTERM)",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    study_argument(parser)
    variant = parser.add_argument("variant", help="a variant of the study")
    variant.completer = variants  # type: ignore[attr-defined]
    parser.add_argument("--seed", type=_seed, default=0, help="random seed (default: 0)")
    parser.add_argument("--data", type=Path, help="data file (default: results/data/<dataset>.npz)")
    parser.add_argument("--output", type=Path, required=True, help="folder to write the run to")
    parser.add_argument(
        "--max-seconds",
        type=_count,
        metavar="N",
        help="end after N seconds with exit status 75; the same command continues the run (default: "
        "max_seconds of the configuration)",
    )


def run(options: argparse.Namespace) -> None:
    """Train the run, or continue it."""
    from pj.data import store
    from pj.training import loop, network  # loads torch

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    loaded = load(options)
    there = {v.name: v for v in study_of(loaded, options.study).variants}
    if options.variant not in there:
        raise UserError(choice_fault(("variant",), options.variant, there))
    spec = there[options.variant].spec
    _refuse_another_run(options.output, spec, options.seed)
    code = run_fingerprint(Path(loop.__file__), spec)
    data = options.data or RESULTS / "data" / f"{spec.data.name}.npz"
    record = records.read_run(options.output) if (options.output / records.RUN).exists() else {}
    images = store.load(data).sha256 if record and data.is_file() else record.get("data_sha256")
    if record and (record["code"], record.get("data_sha256")) == (code, images):
        print(f"{options.output} already holds this run ({record['state']}); delete it to train it again")
        return
    if not options.data and not data.is_file():
        overlays = f" --configfile {shlex.join(map(str, options.configfile))}" if options.configfile else ""
        raise UserError(f"{data} is missing; create it with `snakemake --cores 1{overlays} -- {data}`")
    if spec.own_parts:
        for check in checks(spec).values():
            network.check(check, store.load(data))
    loop.train(
        spec,
        options.seed,
        data,
        options.output,
        code=code,
        resume=options.output / ".resume",
        device=loaded.settings.device,
        threads=loaded.settings.threads,
        max_seconds=options.max_seconds or loaded.settings.max_seconds,
    )


def _refuse_another_run(folder: Path, spec: RunSpec, seed: int) -> None:
    """Raise UserError if ``folder`` cannot be written or holds another finished run."""
    files.check_writable(folder)
    if not (folder / records.RUN).exists():
        return
    record = records.read_run(folder)
    if (record["spec"], record["seed"]) != (json.loads(spec.json_text), seed):
        raise UserError(
            f"{folder} holds a finished run of another specification or seed; choose another --output"
        )


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 0, 1, 2, …")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1, 2, …")
    return int(text)
