"""Figures: no title or legend is cut, each says what its bands are, and curves carry their values."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from helpers.analyses import analysed
from helpers.figures import cut, words
from pj.config.analyses.interpret import View
from pj.config.analyses.landscape import Slices
from pj.config.analyses.pruning import Percents
from pj.config.settings import Scale, Study, Variant
from pj.config.spec import RunSpec
from pj.report.figures import curves, interpret, landscape, paths, pruning, style

LONG = "The influence of WIDE and DEEP batch-normalised networks on the smoothness of a gradient's way"
SMOKE = Scale(name="smoke", epochs=6, train=800, validation=200, test=300, width=0.125)
assert len(LONG) >= 90


def variants(count, seeds=(0, 1), model="mlp", **changes):
    base = {
        "data": {"name": "digits"},
        "model": {"name": model},
        "loss": {"name": "cross_entropy"},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "epochs": 2,
        "batch_size": 10,
    }
    return tuple(
        Variant(
            study="s",
            name=f"v{i}",
            title=f"{i}: {LONG}",
            spec=RunSpec.model_validate(base | {"batch_size": 10 + i} | changes),
            seeds=seeds,
            scale=SMOKE,
            reported={},
        )
        for i in range(count)
    )


def study(own, **changes):
    frame = {"name": "s", "title": LONG, "report": "A 1", "compare": "best_test", "reference": None}
    return Study(**frame | changes, variants=own)


def write_curves(runs, own, epochs=3, **columns):
    for k, variant in enumerate(own):
        for seed in variant.seeds:
            folder = runs / variant.spec.run / f"seed{seed}"
            folder.mkdir(parents=True)
            (folder / "run.json").write_text(json.dumps({"state": "complete"}))
            names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", *columns)
            table = pd.DataFrame({name: 10.0 * k + seed + np.arange(epochs) for name in names})
            table.assign(epoch=range(1, epochs + 1)).to_csv(folder / "metrics.csv", index=False)


@pytest.mark.parametrize("count", [1, 28])
def test_curves_of_many_variants_with_long_titles_are_whole(count, tmp_path):
    own = variants(count)
    write_curves(tmp_path, own)
    figure = curves.draw(study(own), tmp_path)
    assert cut(figure) == []
    assert words(figure).count(LONG) == count + 1
    assert "band from the lowest to the highest" in words(figure)
    assert figure.get_figwidth() > 8 and figure.axes[0].get_position().width * figure.get_figwidth() > 2.5


@pytest.mark.parametrize(
    "title", ["costs $$", "_ρ = 2", "$x^2$ to $y", "a_b^c {d} \\\\alpha", "准确率 → 100 %"]
)
def test_titles_are_drawn_as_they_are_written(title, tmp_path):
    """No mathematics is read into them, and none leaves the legend."""
    own = tuple(v.model_copy(update={"title": title}) for v in variants(1))
    write_curves(tmp_path / "runs", own)
    figure = curves.draw(study(own, title=title), tmp_path / "runs")
    shown = [text.get_text().replace("\\$", "$").strip() for text in figure.findobj(Text)]
    assert shown.count(title) == 1 and sum(text.startswith(title) for text in shown) == 2
    style.save(figure, tmp_path / "curves", {"png": 50, "svg": 50})
    assert title.replace(" ", "") in "".join((tmp_path / "curves.svg").read_text().split()).replace(
        "&gt;", ">"
    )


def test_curves_of_one_seed_have_no_band_and_say_so(tmp_path):
    own = variants(2, seeds=(0,))
    write_curves(tmp_path, own)
    assert "one seed, so no band" in words(curves.draw(study(own), tmp_path))


def test_a_png_of_curves_carries_the_means_that_a_page_shows(tmp_path):
    own = variants(2)
    write_curves(tmp_path / "runs", own)
    curves.write(study(own), tmp_path / "runs", tmp_path, {"png": 50})
    with Image.open(tmp_path / "curves.png") as image:
        found = json.loads(image.info[style.VALUES])
    assert found["epochs"] == [1, 2, 3]
    assert [s["title"] for s in found["series"]] == [v.title for v in own]
    assert found["series"][1]["loss"] == [[10.5, 11.5, 12.5]] * 2  # means of two seeds
    (left, top, width, height), second = found["panels"][0]["box"], found["panels"][1]["box"]
    assert 0 < left < left + width < second[0] < 1 and 0 < top < top + height < 1


def test_long_runs_carry_no_more_than_a_page_can_hold(tmp_path):
    own = variants(1, seeds=(0,))
    write_curves(tmp_path, own, epochs=1000)
    found = curves.values(study(own), tmp_path, curves.draw(study(own), tmp_path))
    assert len(found["epochs"]) == 200 == len(found["series"][0]["loss"][0])
    assert {b - a for a, b in pairwise(found["epochs"])} == {5}


@pytest.mark.parametrize("count", [1, 9])
def test_paths_with_long_titles_are_whole(count, tmp_path):
    dessilbi = {"name": "dessilbi", "lr": 0.1, "kappa": 1, "nu": 100}
    own = variants(count, optimizer=dessilbi)
    write_curves(tmp_path, own, support_conv1=0, support_linear1=0)
    figure = paths.draw_path(study(own), tmp_path)
    assert cut(figure) == []
    assert "band from the lowest to the highest" in words(figure)
    assert figure.get_figwidth() < 25


@pytest.mark.parametrize("count", [1, 28])
def test_a_pruning_with_long_titles_is_whole(count):
    own = variants(count)
    shown = analysed(
        "prunings", name="p", title=LONG, report="A", reported=[98.9, None], variants=own,
        methods={v.name: ["magnitude", "random"] for v in own},
        settings=Percents(layers=["conv1", "conv2", "linear1", "linear2"], percents=[0, 50]),
    )  # fmt: skip
    rows = [
        {"method": m, "percent": p, "draw": 0, "accuracy": 90.0 - p, "outside_support": None}
        | {"size": {"parameters": 9, "nonzero": 9, "macs": 9}}
        for m in ("magnitude", "random")
        for p in (0, 50)
    ]
    found = {v.name: {seed: {"state": "complete", "rows": rows} for seed in v.seeds} for v in own}
    figure = pruning.draw(shown, found)
    assert cut(figure) == []
    assert "band from the lowest to the highest" in words(figure)


@pytest.mark.parametrize("count", [1, 7])
def test_a_landscape_with_long_titles_is_whole(count):
    own = variants(count)
    plane = {"offsets": [-1, 0, 1], "loss": [[3.0, 2.0, 4.0], [2.0, 0.5, 2.0], [4.0, 3.0, 4.0]]}
    run = {"state": "complete", "line": {"offsets": [-1, 0, 1], "loss": [3.0, 0.5, 5.0]}, "plane": plane}
    shown = analysed("landscapes", name="l", title=LONG, slices=Slices(), variants=own)
    figure = landscape.draw(shown, {v.name: {0: run, 1: run} for v in own})
    assert cut(figure) == []
    assert "no bands" in words(figure)


@pytest.mark.parametrize("count", [1, 3])
def test_the_figures_of_an_interpretation_with_long_titles_are_whole(count):
    own = variants(count, model="resnet9")
    view = View(feature_maps=["conv1"], grad_cam=["block1", "features"], per_class=1)
    maps = {name: {"curve": [0.9, 0.4, 0.1], "areas": [0.3, 0.5]} for name in ("grad_cam", "random", "other")}
    pixels, heat = np.zeros((4, 4, 3), dtype=int).tolist(), dict.fromkeys(view.grad_cam, np.eye(4).tolist())
    image = {"index": 3, "label": 1, "predicted": 0, "probability": 0.5, "pixels": pixels, "grad_cam": heat}
    run = {
        "state": "complete",
        "image": image | {"feature_maps": {"conv1": np.zeros((3, 2, 2)).tolist()}},
        "sheet": [image | {"label": k} for k in range(10)],
        "deletion": {"images": 2, "shares": [0, 0.5, 1], "layers": dict.fromkeys(view.grad_cam, maps)},
        "check": {"layer": "features", "correlations": {f"conv{i}": [0.4, 0.1] for i in range(16, 0, -1)}},
    }
    shown = analysed("interpretations", name="i", title=LONG, view=view, variants=own)
    found = {v.name: {0: run} for v in own}
    figure = interpret.draw_tests(shown, found)
    assert cut(figure) == []
    for part in ("no band;", "band between the quartiles", "dotted: maps of other images"):
        assert part in words(figure)
    assert cut(interpret.draw_image(shown, found)) == []
    assert cut(interpret.draw_sheet(shown, found)) == []
