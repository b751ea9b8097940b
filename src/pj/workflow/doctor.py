"""`pj doctor`: what this machine provides for the workflow, what is wrong, and what to do about it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from pj import files
from pj.config.components import Source
from pj.config.loading import Config
from pj.errors import UserError
from pj.training import compiler
from pj.workflow.slots import VISIBLE, visible_devices

ENOUGH = 10 * 2**30  # bytes of disk for states and checkpoints of a study of wide nets
REMEMBERED = 300  # seconds; the SLURM plugin asks for ended jobs at least every 180 s


@dataclass(frozen=True)
class Finding:
    """The result of one check. With a remedy it is a fault, or a note if ``fault`` is false."""

    what: str
    found: str
    remedy: str = ""
    fault: bool = True

    def __str__(self) -> str:
        """Return it as one line, or two with a remedy."""
        mark = "ok  " if not self.remedy else "BAD " if self.fault else "note"
        return f"{mark}  {self.what}: {self.found}" + (f"\n      → {self.remedy}" if self.remedy else "")


def examine(load: Callable[[], Config], results: Path) -> Iterator[Finding]:
    """Yield the findings: software first, then cluster, disk, configuration and data.

    Args:
        load: reads the configuration; its UserError is a finding.
        results: where results go.

    """
    loaded, fault = None, ""
    try:
        loaded = load()
    except UserError as error:
        fault = str(error)
    device = loaded.settings.device if loaded else "auto"
    yield from _torch(device)
    yield from _snakemake()
    yield from _slurm(device)
    yield _disk(results)
    yield from _locks(results)
    if loaded is None:
        yield Finding("configuration", fault, "fix the errors above")
        return
    runs = loaded.runs()
    trainings = sum(len(run.seeds) for run in runs.values())
    counts = f"{len(runs)} networks of {len(loaded.settings.studies)} studies to train, {trainings} trainings"
    yield Finding("configuration", counts)
    for name, source in loaded.sources().items():
        yield _data(name, source, results)


def _torch(device: str) -> Iterator[Finding]:
    try:
        import torch  # here, so that the other checks run even where it cannot be loaded
    except (ImportError, OSError) as error:  # a library that is missing or broken is an OSError
        yield Finding("torch", f"cannot be imported: {error}", "pip install --upgrade torch torchvision")
        return
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    cards = visible_devices()
    yield Finding("torch", f"{torch.__version__}, {build}")
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(i).total_memory / 2**30
            yield Finding("GPU", f"cuda:{i} {torch.cuda.get_device_name(i)}, {memory:.0f} GiB")
        if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
            yield Finding("GPU", f"the configuration has device: {device}", "name one of these, or cuda")
    elif cards:
        remedy = "install a CUDA build of torch (pip install torch), or a newer driver (nvidia-smi shows its)"
        if VISIBLE in os.environ:
            remedy = f"they are named by {VISIBLE}: correct or unset it; otherwise {remedy}"
        yield Finding("GPU", f"this machine has {', '.join(cards)}, but torch sees none", remedy)
    elif device.startswith("cuda") and not shutil.which("sbatch"):
        remedy = "set device: auto, which takes the CPU where there is no GPU"
        yield Finding("GPU", f"none, and the configuration has device: {device}", remedy)
    else:
        from pj.training.device import cpu_computes_bf16

        precision = "bf16" if cpu_computes_bf16() else "fp32"
        remedy = (
            "on a cluster only the nodes need one; SLURM's are listed below"
            if shutil.which("sbatch")
            else "leave out --resources, and set --cores to the number of cores"
        )
        yield Finding(
            "GPU", f"none; runs use the CPU (precision: auto is {precision} here)", remedy, fault=False
        )
    try:
        import torchvision

        yield Finding("torchvision", torchvision.__version__)
    except (ImportError, RuntimeError) as error:  # operators of another torch are a RuntimeError
        remedy = "pip install --upgrade torch torchvision, both in one command"
        yield Finding("torchvision", f"cannot be imported: {error}", remedy)
    if lacks := compiler.lacking(cuda=torch.cuda.is_available()):
        remedy = "install it, or set compile: false where config.yaml sets true"
        yield Finding("compiler", f"compiled training steps need {lacks}", remedy, fault=False)


def _snakemake() -> Iterator[Finding]:
    try:
        yield Finding("snakemake", version("snakemake"))
    except PackageNotFoundError:
        yield Finding("snakemake", "not installed", "install pj again: pip installs Snakemake with it")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    try:
        files.check_writable(cache / "snakemake", "Snakemake's cache goes")
    except UserError as error:
        yield Finding("home", str(error), "export XDG_CACHE_HOME=/some/writable/folder")


def _slurm(device: str) -> Iterator[Finding]:
    if not shutil.which("sbatch"):
        yield Finding("SLURM", "not installed on this machine")
        return
    if not find_spec("snakemake_executor_plugin_slurm"):
        remedy = "to use it: pip install 'snakemake-executor-plugin-slurm>=2.8,<3'"
        yield Finding("SLURM", "here, without Snakemake's plugin for it", remedy, fault=False)
        return
    nodes = _answer("sinfo", "--noheader", "--format=%D|%T|%G|%E")
    if nodes is None:
        remedy = "ask the site, or wait: running jobs continue, and the workflow can be started again"
        yield Finding("SLURM", "its controller does not answer (sinfo)", remedy, fault=False)
        return
    yield from _nodes([line.split("|", 3) for line in nodes.splitlines() if line.count("|") >= 3], device)
    yield from _finished_jobs()


def _nodes(nodes: Sequence[Sequence[str]], device: str) -> Iterator[Finding]:
    """Yield which nodes take jobs; each entry is a count, a state, the GPUs and a reason."""
    none_usable = not any(_usable(state) for _, state, _, _ in nodes)
    for count, state, gpus, reason in nodes:
        usable = _usable(state)
        found = f"{count} node(s) {state}, {gpus if 'gpu' in gpus else 'without GPUs'}"
        found += "" if usable else f": {reason}"
        remedy = "" if usable else "jobs wait for another node; see scontrol show node"
        yield Finding("SLURM", found, remedy, fault=none_usable)
    if device != "cpu" and not any("gpu" in gpus for _, _, gpus, _ in nodes):
        remedy = "every job requests one; on a cluster of CPUs add --config device=cpu"
        yield Finding("SLURM", "no node has GPUs", remedy)


def _finished_jobs() -> Iterator[Finding]:
    """Yield whether SLURM remembers ended jobs for as long as the workflow needs."""
    accounting = _answer("sacct", "--noheader", "--starttime=now") is not None
    if not accounting:
        yield Finding("SLURM", "no accounting (sacct)", "add --slurm-no-account", fault=False)
    remembers = re.search(r"MinJobAge\s*=\s*(\d+)", _answer("scontrol", "show", "config") or "")
    if remembers and int(remembers[1]) < REMEMBERED:
        remedy = (
            "add --slurm-status-command sacct"
            if accounting
            else f"ask the site for MinJobAge={REMEMBERED}; otherwise Snakemake may wait forever for a job"
        )
        found = f"squeue forgets a job {remembers[1]} s after its end (MinJobAge)"
        yield Finding("SLURM", found, remedy)


def _usable(state: str) -> bool:
    """Whether nodes take jobs, now or when others end; a suffix (``idle~``: powered down) is ignored."""
    word = re.sub(r"[^a-z].*", "", state.lower())
    return word in ("idle", "mixed", "allocated", "completing", "planned")


def _answer(*command: str) -> str | None:
    """Return what a command prints; None if it cannot, or not within some seconds."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout


def _disk(results: Path) -> Finding:
    try:
        files.check_writable(results)
    except UserError as error:
        return Finding("disk", str(error), "results cannot be written there")
    there = files.existing(results)
    free = shutil.disk_usage(there).free
    found = f"{free / 2**30:.0f} GiB free at {there}"
    remedy = "" if free >= ENOUGH else "free some space, or work elsewhere: checkpoints take gigabytes"
    return Finding("disk", found, remedy)


def _locks(results: Path) -> Iterator[Finding]:
    """Yield a fault if files cannot be locked in the folder of results, or where it will be."""
    there = files.existing(results)
    path = there / f".lock-{os.getpid()}"
    try:
        with FileLock(path, timeout=0):
            pass
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            remedy = "keep results/ on a file system with locks, so that no run is trained twice at once"
            yield Finding("disk", f"no locks at {there}: {error.strerror}", remedy)
    finally:
        with suppress(OSError):  # such as a file in the place of the folder, which `_disk` has named
            path.unlink()


def _data(name: str, source: Source, results: Path) -> Finding:
    """Return whether a dataset is prepared, and if not, whether it can be."""
    from pj.data import store

    path = results / "data" / f"{name}.npz"
    if path.is_file():
        try:
            dataset = store.load(path)
        except UserError as error:
            return Finding(f"data {name}", str(error), f"delete {path}; the workflow recreates it")
        counts = f"{len(dataset.y_train):,} training and {len(dataset.y_test):,} test images"
        return Finding(f"data {name}", f"{path}, {counts}")
    match source.source:
        case "torchvision":
            folder = Path(source.folder)
            found = f"not prepared; its archive is taken from {folder.absolute()}, or else downloaded"
            remedy = "" if folder.is_dir() else f"without internet, put the official archive into {folder}"
            return Finding(f"data {name}", found, remedy, fault=False)
        case "npz" | "folder":
            there = Path(source.path).exists()
            remedy = "" if there else f"put it there, or correct datasets.*.path ({source.path})"
            return Finding(f"data {name}", f"{source.path} {'exists' if there else 'is missing'}", remedy)
    return Finding(f"data {name}", "not prepared; it needs no file")
