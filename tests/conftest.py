import os
import signal
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; read when torch is loaded

import numpy as np
import pytest
import torch
from hypothesis import settings

from helpers.sources import source
from pj.config.spec import RunSpec
from pj.data import sources, store
from pj.training.device import cpu_computes_bf16
from pj.workflow.jobs import collect_rarely

settings.register_profile("pj", deadline=None)  # a busy machine is no fault
settings.load_profile("pj")

collect_rarely()

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, and so by what is started, if after `&`


def pytest_collection_modifyitems(items):
    """Begin with what takes long: files that run workflows, then those of many tests."""
    tests = Counter(item.path for item in items)
    workflows = {item.path for item in items if "workflow" in item.keywords}
    items.sort(key=lambda item: (item.path not in workflows, -tests[item.path], str(item.path)))


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """The embedded digits as 32x32 colour images."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    store.save(sources.read(source("digits")), path)
    return path


@pytest.fixture
def spec():
    """A run of a few steps, with changes to any part of it."""

    def make(**changes) -> RunSpec:
        content = {
            "data": {"name": "digits", "train": 200, "validation": 60, "test": 100, "crop": 2, "flip": True},
            "model": {"name": "resnet9", "width": 0.1},
            "loss": {"name": "cross_entropy"},
            "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
            "epochs": 2,
            "batch_size": 64,
            "precision": "fp32",
        }
        if changes.get("precision") == "bf16" and not (cpu_computes_bf16() or torch.cuda.is_available()):
            pytest.skip("this processor emulates bf16, hundreds of times slower than fp32")
        return RunSpec.model_validate(content | changes)

    return make


@pytest.fixture
def arrays():
    """Small arrays in the layout of a user's own .npz."""
    draw = np.random.default_rng(0)
    return {
        "x_train": draw.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8),
        "y_train": np.arange(30) % 3,
        "x_test": draw.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8),
        "y_test": np.arange(12) % 3,
    }


@pytest.fixture(autouse=True)
def _processor_state():
    """Training sets the processor to flush denormals; nothing else may notice."""
    yield
    torch.set_flush_denormal(False)
