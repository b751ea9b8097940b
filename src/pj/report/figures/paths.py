"""The regularisation paths of DessiLBI runs, and a layer's weights side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from pj.config.settings import Study, Variant
from pj.report.figures.style import DASHES, FORMATS, colours, frames, headline, legend, save, spread, wrapped
from pj.report.text.labels import study_label
from pj.runs import records


def write(study: Study, runs: Path, folder: Path, formats: Mapping[str, int] = FORMATS) -> None:
    """Write path.png, path.svg and weights.png of a study with DessiLBI runs."""
    assert study.path is not None
    save(draw_path(study, runs), folder / "path", formats)
    save(draw_weights(study, runs, study.path.weights_of), folder / "weights", {"png": formats["png"]})


def _complete(variant: Variant, runs: Path) -> list[Path]:
    return list(records.complete(runs, variant.spec.run, variant.seeds).values())


def draw_path(study: Study, runs: Path) -> Figure:
    """Return |supp Γ| by layer over epochs: a frame a variant, the mean over seeds and their spread."""
    shown = [v for v in study.variants if v.spec.optimizer.name == "dessilbi"]
    figure, drawn = frames(4.2, 3.6, len(shown))
    for variant, axes in zip(shown, drawn, strict=True):
        curves = [
            pd.read_csv(records.table(f, records.METRICS), index_col="epoch")
            for f in _complete(variant, runs)
        ]
        names = [c for c in curves[0].columns if c.startswith(records.SUPPORT)] if curves else []
        for i, (name, colour) in enumerate(zip(names, colours(max(len(names), 1)), strict=False)):
            table = pd.concat([curve[name] for curve in curves], axis=1)
            style = DASHES[i % len(DASHES)]
            axes.plot(table.mean(axis=1), style, color=colour, label=name.removeprefix(records.SUPPORT))
            axes.fill_between(
                table.index, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.15, lw=0
            )
        axes.set(xlabel="epoch", ylabel="units in the support (%)", ylim=(-3, 103))
        axes.set_title(wrapped(variant.title, 3.5, 9), fontsize=9)
        axes.grid(alpha=0.3)
    named = max((axes.get_legend_handles_labels() for axes in drawn), key=lambda pair: len(pair[1]))
    legend(figure, *named)
    seeds = max((len(variant.seeds) for variant in shown), default=0)
    headline(figure, study.title, f"{study_label(study)}; {spread(seeds)}")
    return figure


def draw_weights(study: Study, runs: Path, layer: str) -> Figure:
    """Return the absolute weights of a layer, one picture per variant (and of its Γ), of the first seed.

    Rows are units, in the order of their norms; columns are inputs.
    """
    pictures: list[tuple[str, np.ndarray[Any, Any]]] = []
    for variant in study.variants:
        for folder in _complete(variant, runs)[:1]:
            content = torch.load(folder / records.CHECKPOINT, weights_only=True)
            key = content["layers"][layer]
            weight = content["weights"][key].flatten(1).abs()
            order = weight.norm(dim=1).argsort(descending=True)
            pictures.append((variant.title, weight[order].numpy()))
            if "gamma" in content:
                gamma = content["gamma"][key].flatten(1).abs()[order]
                pictures.append((f"{variant.title}: Γ", gamma.numpy()))
    figure, drawn = frames(3.2, 3.4, len(pictures))
    for axes, (title, picture) in zip(drawn, pictures, strict=True):
        image = axes.imshow(picture, cmap="gray_r", aspect="auto", vmin=0, interpolation="nearest")
        figure.colorbar(image, ax=axes, fraction=0.05)
        axes.set_title(
            f"{wrapped(title, 2.4, 8)}\n{100 * (picture > 1e-3).mean():.0f} % above 0.001", fontsize=8
        )
        axes.set(xlabel="input", ylabel="unit, by norm")
    subtitle = f"{study_label(study)}, first seed; each picture has its own scale"
    headline(figure, f"{study.title}: |weights| of {layer}", subtitle)
    return figure
