"""The machine, the versions and the commit that a result was made with."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("pj", "torch", "numpy", "snakemake")
LIBRARIES = ("scipy", "torchvision", "timm")  # of draws, images and networks, if they are installed


def provenance(device: Any = None) -> dict[str, Any]:
    """Return versions, machine and commit; with a torch device, its name too."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        **{name: there for name in LIBRARIES if (there := _version(name))},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "device": _device(device),
        "commit": _commit(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _device(device: Any) -> str | None:
    if device is None:
        return None
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return str(device.type)


@cache
def _commit() -> str | None:
    """Return the commit of this source tree, marked if its code has changes; None outside a checkout.

    Settings are recorded with each run.

    A package that is installed inside of somebody else's checkout, in its virtual environment, has none.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        code = (":/src", ":/rules", ":/workflow", ":/Snakefile")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", *code)
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
