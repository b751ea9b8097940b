"""What computes on the device reads no value there and mixes no devices.

On torch's meta device, which holds no values, both raise.
"""

from functools import partial

import pytest
import torch

from helpers.kinds import KINDS
from pj import models
from pj.data import store
from pj.interpret import maps, sanity
from pj.landscape import surface
from pj.models import layer_names
from pj.optim import torch_optim
from pj.pruning import networks
from pj.training.accuracy import predict
from pj.training.device import Conditions
from pj.training.run import Training

SOME = ["lenet", "resnet9", "cbam_resnet9", "wide_resnet"]  # where all of them would take ten seconds


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


# A finished network: what is measured of it, up to the numbers that are read at the end


@pytest.fixture
def finished(spec, digits):
    """Return a function that builds a kind of run, in eval mode, and ten images of its test split."""

    def build(kind):
        training = begun(spec(**KINDS[kind]), digits)
        training.model.eval()
        split = training.splits["test"]
        return training, training.normalise(split.images[:10]), split.labels[:10]

    return build


@pytest.mark.parametrize("network", models.names())
def test_pruning_reads_no_value(network, finished):
    training, images, _ = finished(network)
    for name, units in networks.prunable(training.model).items():
        removed = {name: torch.arange(units)[: units // 2]}  # on the CPU, where orders are made
        for make in (networks.masked, networks.narrowed):
            assert make(training.model, removed)(images).device.type == "meta"


@pytest.mark.parametrize("network", SOME)
def test_slices_of_the_loss_and_products_with_its_hessian_read_no_value(network, finished):
    training, images, labels = finished(network)
    weights = dict(training.model.named_parameters())
    directions = [surface.filter_normalised(weights, torch.Generator()) for _ in range(2)]
    batches = [(images, labels)] * 2
    losses = surface.slice_losses(training.model, training.loss, batches, directions, [[-1.0, 0.0], [0.5]])
    assert losses.shape == (2, 1) and losses.device.type == "meta"
    parameters = list(training.model.parameters())
    vector = torch.cat([p.detach().flatten() for p in parameters])
    product = surface._hessian_times(training.model, training.loss, batches, parameters, vector)
    assert product.shape == vector.shape and product.device.type == "meta"


@pytest.mark.parametrize("network", SOME)
def test_maps_and_their_two_tests_read_no_value(network, finished):
    training, images, labels = finished(network)
    layers = list(layer_names.maps(training.model))
    for _, other in sanity.randomised(training.model, torch.Generator()):
        found = maps.class_maps(other, layers[-1], images, labels, rectified=False, check=False)
    assert maps.feature_maps(training.model, layers[0], images).device.type == "meta"
    shown = maps.displayed(found, images.shape[-2:])
    places = sanity.ranks(shown, torch.Generator())
    curves = sanity.deletion(
        training.model, images, places, labels, [0.0, 0.5, 1.0], images.mean(dim=(0, 2, 3))
    )
    assert sanity.area(curves, [0.0, 0.5, 1.0]).device.type == "meta"
