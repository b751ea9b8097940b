"""Figures that interpret finished runs: one image through the network, a sheet by class, and the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from pj.config.settings import Analysed, Variant
from pj.report.figures.style import DASHES, colours, frames, headline, legend, open_frame, plain, wrapped
from pj.report.tables.analyses import Found, complete, first_seeds
from pj.report.tables.interpret import label
from pj.report.text.labels import scale_label

LONGEST = 14  # letters above a small picture


def _titled(figure: Figure, interpretation: Analysed) -> Figure:
    """Return a figure of photographs under its title, and what they are of."""
    first = interpretation.variants[0]
    what = f"{first.spec.data.name}, {scale_label(first.scale)}; first seed, in eval mode, fp32"
    headline(figure, interpretation.title, what)
    return figure


def draw_image(interpretation: Analysed, found: Found) -> Figure:
    """Return the figure of one image: one row of feature maps per layer, and Grad-CAMs; first seeds."""
    shown = first_seeds(found, interpretation.variants)
    view = interpretation.view
    rows = max(len(view.feature_maps), 2)
    columns = 3 + -(-(1 + len(view.grad_cam)) // rows)
    figure = Figure(
        figsize=(1.6 * columns + 0.6, (1.75 * rows + 0.4) * max(1, len(shown)) + 0.5), layout="constrained"
    )
    parts = figure.subfigures(max(1, len(shown)), 1, squeeze=False)[:, 0]
    for part, (variant, run) in zip(parts, shown, strict=False):
        image = run["image"]
        what = f"{variant.title}: test image {image['index']}, {_verdict(image)}"
        part.suptitle(wrapped(what, figure.get_figwidth() - 0.4, 9), fontsize=9)
        grid = part.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for row, (layer, maps) in zip(grid, image["feature_maps"].items(), strict=False):
            for i, (axes, one) in enumerate(zip(row, maps, strict=False)):
                axes.imshow(one, cmap="gray")
                axes.set_title(f"{layer}, channel {i + 1}", fontsize=7)
        rest = [axes for column in grid[:, 3:].T for axes in column]
        _photo(rest[0], image["pixels"])
        rest[0].set_title("image", fontsize=7)
        for axes, (layer, heat) in zip(rest[1:], image["grad_cam"].items(), strict=False):
            shade = _overlaid(axes, image["pixels"], heat)
            axes.set_title(f"Grad-CAM, {layer}", fontsize=7)
        _scale(part, shade, grid)
    return _titled(figure, interpretation)


def draw_sheet(interpretation: Analysed, found: Found) -> Figure:
    """Return the sheet: a column a class, images with their Grad-CAMs below; first seeds."""
    shown = first_seeds(found, interpretation.variants)
    classes = max((1 + max(i["label"] for i in run["sheet"]) for _, run in shown), default=1)
    deep = 2 * interpretation.view.per_class
    figure = Figure(
        figsize=(0.95 * classes, (1.02 * deep + 0.5) * max(1, len(shown)) + 0.5), layout="constrained"
    )
    parts = figure.subfigures(max(1, len(shown)), 1, squeeze=False)[:, 0]
    for part, (variant, run) in zip(parts, shown, strict=False):
        layer = interpretation.view.grad_cam[-1]
        what = f"{variant.title}: Grad-CAM at {layer} for the predicted class"
        if run.get("classes", 0) > classes:
            what += f"; the first {classes} of {run['classes']} classes"
        part.suptitle(wrapped(what, figure.get_figwidth() - 0.4, 9), fontsize=9)
        grid = part.subplots(deep, classes, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        used = [0] * classes
        for image in run["sheet"]:
            k = image["label"]
            above, below = grid[used[k] : used[k] + 2, k]
            used[k] += 2
            _photo(above, image["pixels"])
            shade = _overlaid(below, image["pixels"], image["grad_cam"][layer])
            right = image["predicted"] == k
            above.set_title(_short(_name(image, "label")), fontsize=7)
            below.set_title(
                f"{'✓' if right else '✗ ' + _short(_name(image, 'predicted'))} {image['probability']:.2f}",
                fontsize=6,
                color="black" if right else "#D55E00",
            )
        _scale(part, shade, grid)
    return _titled(figure, interpretation)


def draw_tests(interpretation: Analysed, found: Found) -> Figure:
    """Return the deletion curves by layer, and the correlations as layer after layer is randomised."""
    figure, (deleted, checked) = frames(5, 4.4, 2)
    layers = interpretation.view.grad_cam
    for variant, dash in zip(interpretation.variants, DASHES * len(interpretation.variants), strict=False):
        runs = complete(found, variant)
        if not runs:
            continue
        shares = 100 * np.array(runs[0]["deletion"]["shares"])
        for layer, colour in zip(layers, colours(len(layers)), strict=True):
            for name, style in _styles(dash, f"{variant.title}, {layer}").items():
                curves = [run["deletion"]["layers"][layer][name]["curve"] for run in runs]
                deleted.plot(shares, np.mean(curves, axis=0), color=colour, **style)
        _correlations(checked, variant, runs, dash)
    deleted.set(
        xlabel="removed pixels (%)",
        ylabel="probability of the class",
    )
    what = "means over images and seeds, no band; dotted: maps of other images; thin: random maps, same grid"
    deleted.set_title(wrapped(what, 4.2, 9))
    checked.set(
        xlabel="randomised from the last layer back to", ylabel="rank correlation of the maps", ylim=(-1, 1)
    )
    checked.axhline(0, color="gray", lw=0.6)
    what = (
        f"Grad-CAM at {layers[-1]} against that of a randomised network: median, band between the quartiles"
    )
    checked.set_title(wrapped(f"{what} over images and seeds", 4.2, 9))
    for axes in (deleted, checked):
        axes.title.set_fontsize(9)
        open_frame(axes)
    handles, labels = deleted.get_legend_handles_labels()
    medians, names = checked.get_legend_handles_labels()
    legend(figure, [*handles, *medians], [*labels, *(f"{name} (right)" for name in names)])
    headline(figure, interpretation.title, label(interpretation, found).replace("**", ""))
    return figure


def _styles(dash: str, label: str) -> dict[str, dict[str, Any]]:
    """Return the style of a deletion curve by whose maps it is of."""
    return {
        "grad_cam": {"ls": dash, "lw": 1.5, "label": label},
        "other": {"ls": ":", "lw": 1.1},
        "random": {"ls": "-", "lw": 0.5, "alpha": 0.5},
    }


def _correlations(axes: Axes, variant: Variant, runs: list[dict[str, Any]], dash: str) -> None:
    """Draw the median over images and seeds, and a band from the lower to the upper quartile."""
    names = list(runs[0]["check"]["correlations"])
    pooled = [[v for run in runs for v in run["check"]["correlations"][n] if v is not None] for n in names]
    quartiles = np.array([np.percentile(v, [25, 50, 75]) if v else [np.nan] * 3 for v in pooled]).T
    x = range(len(names))
    axes.plot(x, quartiles[1], dash, color="black", marker="o", ms=3, lw=1.2, label=plain(variant.title))
    axes.fill_between(x, quartiles[0], quartiles[2], color="black", alpha=0.12, lw=0)
    axes.set_xticks(x, names, rotation=60, fontsize=7)


def _scale(part: SubFigure, shade: AxesImage, grid: Any) -> None:
    """Add the scale of the maps' colours to a part of a figure."""
    bar = part.colorbar(shade, ax=list(grid.flat), shrink=0.5, fraction=0.03)
    bar.set_label("Grad-CAM, over its maximum", fontsize=7)
    bar.ax.tick_params(labelsize=6)


def _photo(axes: Axes, pixels: Any) -> None:
    image = np.asarray(pixels, dtype=np.uint8)
    axes.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap="gray")


def _overlaid(axes: Axes, pixels: Any, heat: Any) -> AxesImage:
    """Draw a map in colours over the grey image, with its contour at one half; return the colours."""
    image = np.asarray(pixels, dtype=float).mean(axis=2)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    colours = axes.imshow(heat, cmap="viridis", vmin=0, vmax=1, alpha=0.6)
    axes.contour(heat, levels=[0.5], colors="white", linewidths=0.8)
    return colours


def _verdict(image: dict[str, Any]) -> str:
    own, taken = _name(image, "label"), _name(image, "predicted")
    return f"{own}, taken for {taken} with probability {image['probability']:.2f}"


def _short(name: str) -> str:
    """Return a name that fits above a small picture."""
    return plain(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")


def _name(image: dict[str, Any], key: str) -> str:
    """Return the name of an image's class, of a number ``class 3``."""
    name: str = image.get(f"{key}_name", str(image[key]))
    return f"class {name}" if name.isdecimal() else name
