"""Device, precision and threads."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from pj.training.device import DeviceError, configure, cpu_computes_bf16


def test_asking_for_a_missing_gpu_names_what_is_allowed():
    with pytest.raises(DeviceError, match="allowed here: auto, cpu"):
        configure("cuda:99", "fp32", 1)


@pytest.mark.parametrize(("asked", "index"), [("cuda", 0), ("auto", 0), ("cuda:1", 1)])
def test_a_gpu_has_its_index_as_its_tensors_have(asked, index, monkeypatch):
    for name, value in {"is_available": True, "device_count": 2, "set_device": None}.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *_, **__: None)
    for flags, name in (
        (torch.backends.cudnn, "deterministic"),
        (torch.backends.cudnn, "allow_tf32"),
        (torch.utils.deterministic, "fill_uninitialized_memory"),
    ):
        monkeypatch.setattr(flags, name, getattr(flags, name))  # is put back
    products = SimpleNamespace(allow_tf32=True)  # as with TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1
    monkeypatch.setattr(torch.backends.cuda, "matmul", products)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    assert configure(asked, "fp32", torch.get_num_threads()).device == torch.device("cuda", index)
    assert not products.allow_tf32 and not torch.backends.cudnn.allow_tf32


def test_nothing_computes_in_emulated_bf16(monkeypatch):
    monkeypatch.setattr("pj.training.device.cpu_computes_bf16", lambda: False)
    assert configure("cpu", "auto", 1).precision == "fp32"
    with pytest.raises(
        DeviceError, match=r"'bf16': this cpu device only emulates it, .* allowed here: auto, fp32"
    ):
        configure("cpu", "bf16", 1)


PAGES = """
import resource, torch
from pj.training.device import configure
def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        torch.empty(64 * 2**20, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
before = pages()
configure("cpu", "fp32", 1)
print(before, pages())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is set in glibc only")
def test_on_a_cpu_a_tensor_takes_the_memory_of_one_freed_before():
    """By the pages that the system has to give: by default each tensor of 64 MB gets its own, zeroed."""
    found = subprocess.run([sys.executable, "-c", PAGES], capture_output=True, text=True, check=True)
    before, after = map(int, found.stdout.split())
    assert after < before / 3


def test_threads_and_precision_are_what_was_asked_for():
    before = torch.get_num_threads()
    if cpu_computes_bf16():
        assert configure("cpu", "bf16", 1).precision == "bf16"
    assert configure("cpu", "fp32", 1).precision == "fp32"
    assert torch.get_num_threads() == 1
    configure("cpu", "fp32", before)
    assert torch.get_num_threads() == before


NARROW = """
import sys, torch
from pj.config.spec import RunSpec
from pj.data import store
from pj.training.device import configure
from pj.training.run import Training

run = RunSpec.from_json(sys.argv[1])
training = Training(run, 0, store.load(sys.argv[2]), configure("cpu", "fp32", 1))
training.batches.start_epoch(0)
for _ in range(4):
    training.train_step()
print(*training.step_losses.tolist())
"""


def test_a_narrow_network_trains_on_a_processor_with_avx2_alone(spec, digits):
    """OneDNN's gradient of a 1x1 convolution with a stride and few channels crashes there (issue 6035)."""
    run = spec(model={"name": "wide_resnet", "depth": 10, "widen_factor": 1, "width": 0.05})
    found = []
    for limits in ({}, {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}):
        command = [sys.executable, "-c", NARROW, run.json_text, str(digits)]
        done = subprocess.run(
            command, env=os.environ | limits, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append([float(loss) for loss in done.stdout.split()])
    assert found[1] == pytest.approx(found[0], rel=1e-4) and len(found[0]) == 4
