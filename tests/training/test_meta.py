"""A step reads no value and mixes no devices: on torch's meta device, which holds no values, both raise."""

from functools import partial

import pytest
import torch

from helpers.kinds import KINDS
from pj import models
from pj.data import store
from pj.optim import torch_optim
from pj.training.accuracy import predict
from pj.training.device import Conditions
from pj.training.run import Training


@pytest.fixture(autouse=True)
def foreach(monkeypatch):
    """Take fused optimizers, which have no meta kernels, in their foreach form."""
    for name in ("SGD", "Adam", "AdamW"):
        own = getattr(torch_optim, name)
        monkeypatch.setattr(torch_optim, name, partial(_foreach, own))


def _foreach(optimizer, params, *, fused, **options):
    return optimizer(params, foreach=fused, **options)


def begun(run, digits):
    data = run.data.model_copy(update={"mean": [0.5], "std": [0.5]})  # auto reads them, once before a run
    run = run.model_copy(update={"data": data})
    return Training(run, 0, store.load(digits), Conditions(torch.device("meta"), "fp32", 1))


def test_the_meta_device_raises_where_a_value_is_read_or_devices_are_mixed():
    there = torch.ones(2, device="meta")
    for fault in (lambda: there.sum().item(), lambda: bool(there[0] > 0), lambda: there + torch.ones(2)):
        with pytest.raises(RuntimeError):
            fault()


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_neither_reads_a_value_nor_mixes_devices(kind, spec, digits):
    training = begun(spec(**KINDS[kind]), digits)
    training.batches.start_epoch(0)
    for _ in range(2):
        training.train_step()
    assert training.steps_done == 2


@pytest.mark.parametrize("network", models.names())
def test_predictions_wait_for_nothing(network, spec, digits):
    training = begun(spec(**KINDS[network]), digits)
    split = training.splits["test"]
    logits = predict(training.evaluated, split, training.normalise, training.conditions)
    assert logits.shape == (len(split), 10) and logits.device.type == "meta"
