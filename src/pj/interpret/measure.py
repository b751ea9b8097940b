"""Measuring inside a finished run: feature maps, Grad-CAM, and two tests of Grad-CAM."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pj.config.analyses.interpret import View
from pj.errors import UserError
from pj.interpret.maps import class_maps, displayed, enlarged, feature_maps
from pj.interpret.sanity import area, deletion, randomised, rank_correlations, ranks
from pj.randomness import generator
from pj.runs import finished

log = logging.getLogger(__name__)
SHARES = [i / 20 for i in range(21)]  # of an image's pixels that are removed
CHANNELS = 3  # of a layer, its first ones
MOST = 20  # classes on the sheet, its first ones
AT_ONCE = 100  # images in memory


def measure(run: finished.FinishedRun, view: View) -> dict[str, Any]:
    """Return feature maps, Grad-CAM and its two tests for a run's selected network.

    ``image``: a test image, its feature maps and Grad-CAMs for the predicted class; ``sheet``: images of
    each class, or of the first 20; ``deletion``: for each layer the mean probability of the predicted class
    at ``shares`` of removed pixels, for Grad-CAM, for the maps of ``other`` images, which share its grid, its
    smoothness and its preference for the centre, and for ``random`` maps of the same grid, and each image's
    ``areas``; ``check``: by layer from the last to the first, the rank correlations of the map with that
    of the network whose weights are randomised up to that layer.

    Raises:
        UserError: a layer or an image that does not exist.

    """
    count = len(run.splits["test"])
    for asked, needed in ((f"image {view.image}", view.image + 1), ("images", view.images)):
        if needed > count:
            raise UserError(
                f"{run.spec.run}: {asked}: {needed} test images are needed, and it has {count}; lower the "
                "settings of the view, or give it more"
            )
    try:
        return {
            "image": _image(run, view),
            "sheet": _sheet(run, view),
            "classes": run.dataset.classes,
            "deletion": _deletion(run, view),
            "check": _check(run, view),
        }
    except ValueError as error:
        raise UserError(f"{run.spec.run}: {error}") from error


def _image(run: finished.FinishedRun, view: View) -> dict[str, Any]:
    found = _shown(run, torch.tensor([view.image]), view.grad_cam)[0]
    image = run.normalise(run.splits["test"].images[view.image : view.image + 1])
    found["feature_maps"] = {
        layer: _rounded(feature_maps(run.model, layer, image)[0, :CHANNELS]) for layer in view.feature_maps
    }
    return found


def _sheet(run: finished.FinishedRun, view: View) -> list[dict[str, Any]]:
    """Return the first test images of each class, or of the first `MOST` classes."""
    labels = run.splits["test"].labels.cpu()
    chosen = [(labels == k).nonzero()[: view.per_class, 0] for k in range(min(run.dataset.classes, MOST))]
    return _shown(run, torch.cat(chosen), view.grad_cam[-1:])


def _shown(run: finished.FinishedRun, chosen: Tensor, layers: list[str]) -> list[dict[str, Any]]:
    """Return images with their labels, their predictions and their Grad-CAMs."""
    split = run.splits["test"]
    raw = split.images[chosen.to(split.images.device)]
    images = run.normalise(raw)
    with torch.no_grad():
        probabilities, predicted = run.model(images).softmax(dim=1).max(dim=1)
    maps = {layer: class_maps(run.model, layer, images, predicted, check=False) for layer in layers}
    large = {layer: displayed(found, images.shape[-2:]) for layer, found in maps.items()}
    return [
        {
            "index": int(index),
            "label": int(split.labels[index]),
            "predicted": int(predicted[i]),
            "label_name": run.dataset.names[int(split.labels[index])],
            "predicted_name": run.dataset.names[int(predicted[i])],
            "probability": round(float(probabilities[i]), 4),
            "pixels": raw[i].tolist(),
            "grad_cam": {layer: _rounded(found[i]) for layer, found in large.items()},
        }
        for i, index in enumerate(chosen)
    ]


def _deletion(run: finished.FinishedRun, view: View) -> dict[str, Any]:
    images = run.normalise(run.splits["test"].images[: view.images])
    fill = images.mean(dim=(0, 2, 3))
    predicted = _predicted(run, images)
    found: dict[str, Any] = {"images": len(images), "shares": SHARES, "layers": {}}

    def curves(maps: Tensor, *keys: int | str) -> Tensor:
        order = ranks(enlarged(maps, images.shape[-2:]), generator(0, "ties", *keys))

        def removed(some: Tensor, places: Tensor, target: Tensor) -> Tensor:
            return deletion(run.model, some, places, target, SHARES, fill)

        return _in_parts(removed, images, order, predicted)

    for layer in view.grad_cam:
        # not cut at zero: the cut pixels would be removed in random order, which lowers the probability too
        maps = _class_maps(run.model, layer, images, predicted)
        ours = curves(maps, layer, "own")
        others = curves(maps.roll(1, dims=0), layer, "other")
        draws = [
            torch.rand(maps.shape, generator=generator(draw, "random", layer)) for draw in range(view.draws)
        ]
        rival = torch.stack([curves(d.to(maps), layer, k) for k, d in enumerate(draws)]).mean(dim=0)
        found["layers"][layer] = {
            name: {"curve": _rounded(c.mean(dim=0)), "areas": _rounded(area(c, SHARES))}
            for name, c in (("grad_cam", ours), ("other", others), ("random", rival))
        }
        log.info("removed the pixels of %d images by maps at %s", len(images), layer)
    return found


def _check(run: finished.FinishedRun, view: View) -> dict[str, Any]:
    layer = view.grad_cam[-1]
    images = run.normalise(run.splits["test"].images[: view.images])
    predicted = _predicted(run, images)
    before = _class_maps(run.model, layer, images, predicted)
    found = {
        name: rank_correlations(before, _class_maps(network, layer, images, predicted))
        for name, network in randomised(run.model, generator(0, "check"))
    }
    log.info("compared Grad-CAM at %s with that of %d randomised networks", layer, len(found))
    return {"layer": layer, "correlations": found}


def _predicted(run: finished.FinishedRun, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([run.model(part).argmax(dim=1) for part in images.split(AT_ONCE)])


def _class_maps(model: torch.nn.Module, layer: str, images: Tensor, target: Tensor) -> Tensor:
    """Return class maps that are not cut at zero: negative values count against the class."""

    def maps(some: Tensor, classes: Tensor) -> Tensor:
        return class_maps(model, layer, some, classes, rectified=False, check=False)

    return _in_parts(maps, images, target)


def _in_parts(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply a function to tensors [N, …], `AT_ONCE` rows at a time."""
    return torch.cat([function(*part) for part in zip(*(t.split(AT_ONCE) for t in tensors), strict=True)])


def _rounded(values: Tensor) -> Any:
    return [round(v, 4) for v in values.tolist()] if values.ndim == 1 else [_rounded(v) for v in values]
