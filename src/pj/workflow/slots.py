"""Several jobs on the GPUs of one machine: each takes a free slot, and sees only that slot's GPU.

`snakemake --resources gpu=N` lets N jobs run at once; without it there is one on each GPU. A job takes the
first slot that no other job holds, so one of N, and uses the GPU slot modulo number of GPUs: N may exceed the
number of GPUs. Imports no torch, which must not be loaded before CUDA_VISIBLE_DEVICES is set.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path

from filelock import FileLock, Timeout

VISIBLE = "CUDA_VISIBLE_DEVICES"


@contextmanager
def held(device: str) -> Iterator[int | None]:
    """Hold a slot inside this context, and yield its number; None where no GPU is shared.

    No slot is taken for a named device (``cpu``, ``cuda:1``), nor on a machine without NVIDIA's driver. If
    the site has set CUDA_VISIBLE_DEVICES, the GPUs named there are shared.
    """
    devices = visible_devices() if device in ("auto", "cuda") else []
    if not devices:
        yield None
        return
    if "torch" in sys.modules:
        raise RuntimeError("a slot must be taken before torch is imported, which detects GPUs only once")
    with _first_free(_folder(devices)) as slot:
        os.environ[VISIBLE] = devices[slot % len(devices)]
        yield slot


def number(device: str) -> int:
    """Return how many jobs share the GPUs at once if nobody says: one on each; 0 without GPUs.

    Args:
        device: auto, cpu, cuda or cuda:<index>; the latter is one.

    """
    devices = [] if device == "cpu" else visible_devices()
    return len(devices) if device in ("auto", "cuda") else len(devices[:1])


def visible_devices(folder: Path = Path("/dev")) -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if (given := os.environ.get(VISIBLE)) is not None:
        names = [name.strip() for name in given.split(",")]
        return list(takewhile(lambda name: name not in ("", "-1", "NoDevFiles"), names))  # as CUDA reads it
    # CUDA counts the existing GPUs from 0, whatever the numbers of the driver's devices are
    there = [path for path in folder.glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
    return [str(i) for i in range(len(there))]


def _folder(devices: Sequence[str]) -> Path:
    """Return the folder of the lock files of these GPUs' slots, one per user and machine."""
    name = hashlib.sha256(",".join(devices).encode()).hexdigest()[:16]  # names of eight cards are too long
    return Path(tempfile.gettempdir()) / f"pj-slots-{os.getuid()}" / name


@contextmanager
def _first_free(folder: Path) -> Iterator[int]:
    """Hold the first free slot. The system frees it when this process ends, even by a kill."""
    folder.mkdir(parents=True, exist_ok=True)
    for slot in count():
        lock = FileLock(folder / f"{slot}.lock")
        try:
            held = lock.acquire(timeout=0)
        except Timeout:
            continue
        with held:
            yield slot
        return
