"""Device, precision and threads of a job."""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

import torch

from pj.errors import UserError

# Faults of a GPU. A call that raises one may be blameless: kernels run later than they are launched.
FAULTS = (torch.OutOfMemoryError, torch.AcceleratorError)


class DeviceError(UserError):
    """A device that this machine does not have."""


@dataclass(frozen=True)
class Conditions:
    """The conditions, besides versions, under which results are bit-identical."""

    device: torch.device
    precision: str
    threads: int

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of a forward pass."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def describe(self) -> dict[str, str | int]:
        """Return what two sessions of one run must share to give the bits of an uninterrupted run."""
        if self.device.type == "cuda":
            device = torch.cuda.get_device_name(self.device)
        else:  # whose kernels differ, such as those of AVX2 and AVX512
            device = f"cpu {torch.backends.cpu.get_cpu_capability()}"
        return {"device": device, "threads": self.threads, "torch": str(torch.__version__)}

    def synchronize(self) -> None:
        """Wait for the device, so that a clock read next is right."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def configure(device: str, precision: str, threads: int) -> Conditions:
    """Set up this process and resolve ``auto``.

    DeviceError if the named CUDA device does not exist, or if bf16 is asked of a device that emulates it.
    """
    torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    if chosen.type == "cuda":
        index = chosen.index or 0
        if index >= torch.cuda.device_count():
            raise DeviceError(
                f"device {device!r} is not available: torch {torch.__version__} sees "
                f"{torch.cuda.device_count()} CUDA devices; allowed here: auto, cpu"
                + "".join(f", cuda:{i}" for i in range(torch.cuda.device_count()))
            )
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
        chosen = torch.device("cuda", index)  # with its index, as that of a tensor there
        torch.cuda.set_device(chosen)  # what makes streams and graphs without naming a device means this one
        torch.use_deterministic_algorithms(True, warn_only=True)
        # a debugging aid that costs time
        setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
        torch.backends.cudnn.deterministic = True
        # fp32 is exact here; bf16 is the fast precision. Containers may set the environment variable that
        # turns TF32 on for matrix products (TORCH_ALLOW_TF32_CUBLAS_OVERRIDE).
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    else:
        # weight decay drives unused weights into denormal numbers, which a CPU multiplies very slowly
        torch.set_flush_denormal(True)
        _keep_freed_memory()
    return Conditions(chosen, _precision(precision, chosen), threads)


def _keep_freed_memory() -> None:
    """Let the C library keep the memory of freed tensors for the next ones.

    glibc returns large blocks to the system, which gives new ones in pages of zeros: up to a fifth of a step.
    It is so until the process ends, whose resident memory therefore stays at its peak.
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    with suppress(AttributeError, OSError, TypeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(trim_threshold, -1)
        libc.mallopt(mmap_max, 0)


def _precision(asked: str, device: torch.device) -> str:
    if asked == "fp32":
        return asked
    if device.type == "cuda":
        with torch.cuda.device(device):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = cpu_computes_bf16()
    if asked == "bf16" and not native:
        raise DeviceError(
            f"precision 'bf16': this {device.type} device only emulates it, hundreds of times slower than "
            "fp32; allowed here: auto, fp32"
        )
    return "bf16" if native else "fp32"


def cpu_computes_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware (AMX or AVX512-BF16); elsewhere fp32 is faster."""
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)
