"""From the files of probed runs to measures, medians, paired ratios and figures."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from scipy import stats

from helpers.figures import cut, words
from pj.config.settings import ProbeView, Scale, Study, Variant
from pj.config.spec import RunSpec
from pj.report.figures import probes as probe_figures
from pj.report.tables import probe_measures, probes
from pj.training.probing import PROBE_COLUMNS, SHIFT_COLUMNS, STEP_COLUMNS

PROBE = {"gradient": {"absolute": [0.1, 0.4]}, "ics": ["conv2"]}


def variant(batch_norm, lr=0.1, seeds=(0, 1), probe=PROBE):
    spec = {
        "data": {"name": "digits"},
        "model": {"name": "vgg_a", "batch_norm": batch_norm},
        "loss": {"name": "cross_entropy"},
        "optimizer": {"name": "sgd", "lr": lr},
        "epochs": 1,
        "batch_size": 10,
        "probe": probe,
    }
    name = f"{'bn' if batch_norm else 'plain'}_{lr:g}"
    return Variant(
        study="s",
        name=name,
        title=name,
        spec=RunSpec.model_validate(spec),
        seeds=seeds,
        scale=Scale(),
        reported={},
    )


def study(*variants, show="loss_range", bands=None):
    view = ProbeView(show=show, bands=bands or {}, layer="conv2")
    frame = {"name": "s", "title": "A study", "report": "A 2", "compare": "best_test", "reference": None}
    return Study(**frame, probes=view, variants=variants)


def write_run(
    runs,
    variant,
    seed,
    losses,
    distances=(1.0, 2.0),
    state="complete",
    shift=1.0,
    other=None,
    step_losses=(2.0,),
):
    """Write a run that was probed at as many steps as ``losses`` has pairs; ‖g‖ is 2.

    ``shift`` is conv2's, for all steps or a list, and ``other`` conv4's if there is one.
    """
    folder = runs / variant.spec.run / f"seed{seed}"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"state": state}))
    rows = []
    for i, pair in enumerate(losses):
        for size, loss, distance in zip((0.1, 0.4), pair, distances, strict=True):
            for layer, share in (("all", 1), ("conv1", 0.5)):
                where = (30 * i, "gradient", "absolute", size, layer)
                rows.append((*where, loss, 2 * size, share * distance, 2.0))
    pd.DataFrame(rows, columns=PROBE_COLUMNS).to_csv(folder / "probes.csv", index=False)
    shifts = []
    for i in range(len(losses)):
        own = shift[i] if isinstance(shift, list) else shift
        for layer, s in (("conv2", own), *([] if other is None else [("conv4", other)])):
            shifts.append((30 * i, layer, s, s / 2, 1 - s / 10))
    pd.DataFrame(shifts, columns=SHIFT_COLUMNS).to_csv(folder / "shifts.csv", index=False)
    steps = [(i, 1, loss) for i, loss in enumerate(step_losses)]
    pd.DataFrame(steps, columns=STEP_COLUMNS).to_csv(folder / "steps.csv", index=False)


def row(table, quantity, layer="all", trajectory=None):
    own = table[(table["quantity"] == quantity) & (table["layer"] == layer)]
    if trajectory:
        own = own[own["trajectory"].str.startswith(trajectory)]
    assert len(own) == 1
    return own.iloc[0]


def test_variants_are_paired_where_they_differ_in_batch_norm_alone():
    bn, plain, other = variant(True), variant(False), variant(True, lr=0.2)
    unprobed = variant(False, lr=0.3, probe=None)
    found = probe_measures.pairs(study(bn, other, plain, unprobed))
    assert [(p.label, p.bn, p.plain) for p in found] == [
        ("sgd, lr 0.1", bn, plain),
        ("sgd, lr 0.2", other, None),
    ]


def test_ranges_run_over_step_sizes_and_ratios_are_paired_by_step_and_seed(tmp_path):
    bn, plain = variant(True), variant(False)
    s = study(bn, plain)
    # ranges with BN 1, 2, 3 and 2, 2, 2; without 2, 8, 3 and 4, 8, 6
    write_run(tmp_path, bn, 0, [(1, 2), (1, 3), (4, 1)])
    write_run(tmp_path, plain, 0, [(0, 2), (1, 9), (3, 6)])
    write_run(tmp_path, bn, 1, [(1, 3), (1, 3), (3, 1)])
    write_run(tmp_path, plain, 1, [(0, 4), (1, 9), (0, 6)])
    found = row(probes.summary(probe_measures.measures(s, tmp_path)), "loss_range")
    assert found["bn"] == np.median([1, 2, 3, 2, 2, 2])
    assert found["plain"] == np.median([2, 8, 3, 4, 8, 6])
    by_seed = [np.median([1 / 2, 2 / 8, 3 / 3]), np.median([2 / 4, 2 / 8, 2 / 6])]
    assert found["ratio"] == pytest.approx(math.sqrt(by_seed[0] * by_seed[1]))
    assert found["ratio_low"] < min(by_seed) and found["ratio_high"] > max(by_seed)
    assert found["steps"] == 6


def test_effective_beta_divides_by_the_distance_moved_and_the_reported_one_by_the_step(tmp_path):
    bn = variant(True, seeds=(0,))
    write_run(tmp_path, bn, 0, [(1, 1)], distances=(1.0, 2.0))
    table = probes.summary(probe_measures.measures(study(bn, show="beta"), tmp_path))
    assert row(table, "beta")["bn"] == pytest.approx(max(1 / 0.2, 2 / 0.8))
    assert row(table, "beta_reported")["bn"] == pytest.approx(max(1 / 0.1, 2 / 0.4))
    assert row(table, "beta", "conv1")["bn"] == pytest.approx(max(0.5 / 0.2, 1 / 0.8))


def test_predictiveness_is_the_range_of_gradient_distances(tmp_path):
    bn = variant(True, seeds=(0,))
    write_run(tmp_path, bn, 0, [(1, 1)], distances=(1.0, 4.0))
    found = probe_measures.measures(study(bn, show="predictiveness"), tmp_path)
    whole = found[found["layer"] == "all"].iloc[0]
    assert (whole["low"], whole["high"], whole["value"]) == (1.0, 4.0, 3.0)


def test_shift_has_norm_relative_norm_and_a_difference_of_cosines(tmp_path):
    bn, plain = variant(True), variant(False)
    for seed in (0, 1):
        write_run(tmp_path, bn, seed, [(1, 1)], shift=1.0)
        write_run(tmp_path, plain, seed, [(1, 1)], shift=4.0)
    table = probes.summary(probe_measures.measures(study(bn, plain, show="ics"), tmp_path))
    assert row(table, "ics", "conv2")["ratio"] == pytest.approx(0.25)
    assert row(table, "ics_relative", "conv2")["ratio"] == pytest.approx(0.25)
    assert row(table, "ics_cosine", "conv2")["difference"] == pytest.approx(0.9 - 0.6)


def test_the_reports_band_is_the_range_over_runs_at_its_learning_rates(tmp_path):
    members = [variant(b, lr) for b in (True, False) for lr in (0.1, 0.2, 0.3)]
    for v in members:
        for seed in v.seeds:
            scale = v.spec.optimizer.lr * (1 if v.spec.model.batch_norm else 2)
            write_run(tmp_path, v, seed, [(1, 1)], step_losses=(scale, 10 * scale))
    s = study(*members, bands={"text": [0.1, 0.3]})
    table = probes.summary(probe_measures.measures(s, tmp_path))
    found = row(table, "loss_band", trajectory="text")
    assert found["bn"] == pytest.approx(np.median([0.2, 2.0]))
    assert found["ratio"] == pytest.approx(0.5)
    shift_band = study(*members, show="ics", bands={"code": [0.1, 0.2]})
    assert row(probes.summary(probe_measures.measures(shift_band, tmp_path)), "ics_band", "conv2")["bn"] == 0


@pytest.mark.parametrize("far", [math.inf, math.nan])
def test_a_diverging_probe_is_infinite_counted_and_drawn_at_the_edge(far, tmp_path):
    bn, plain = variant(True, seeds=(0,)), variant(False, seeds=(0,))
    write_run(tmp_path, bn, 0, [(1, 2), (1, 2), (1, far)])
    write_run(tmp_path, plain, 0, [(1, 5), (1, far), (1, far)])
    s = study(bn, plain)
    measures = probe_measures.measures(s, tmp_path)
    table = probes.summary(measures)
    found = row(table, "loss_range")
    assert (found["infinite_bn"], found["infinite_plain"]) == (1, 2)
    assert found["plain"] == math.inf  # more than half of them
    assert found["steps"] == 2  # where both diverge there is no ratio
    assert found["ratio"] == 0  # of 1/4 and 1/∞
    assert "1 / 2" in probes.sheet(s, table).markdown() and "∞" in probes.sheet(s, table).markdown()
    figure = probe_figures.draw(s, measures, table)
    axes = figure.axes[0]
    top = axes.get_ylim()[1]
    marks = {
        c.get_label(): c.get_offsets().tolist() for c in axes.collections if "diverging" in c.get_label()
    }
    assert {name: [x for x, _ in at] for name, at in marks.items()} == {
        "diverging probe, with batch norm": [60],
        "diverging probe, without": [30, 60],
    }
    assert all(y == top for at in marks.values() for _, y in at)
    drawn = np.concatenate([line.get_ydata() for line in axes.get_lines()])
    assert np.isfinite(drawn).all() and drawn.max() <= top


def test_diverged_and_missing_runs_enter_nothing(tmp_path):
    bn, plain = variant(True), variant(False)
    write_run(tmp_path, bn, 0, [(1, 2)])
    write_run(tmp_path, bn, 1, [(1, 50)], state="diverged")
    found = probe_measures.measures(study(bn, plain), tmp_path)
    assert found["seed"].tolist() == [0]
    table = probes.summary(found)
    assert row(table, "loss_range")["bn"] == 1
    assert table["ratio"].isna().all()


def test_one_seed_has_a_ratio_and_no_interval(tmp_path):
    bn, plain = variant(True, seeds=(0,)), variant(False, seeds=(0,))
    write_run(tmp_path, bn, 0, [(1, 2)])
    write_run(tmp_path, plain, 0, [(1, 3)])
    table = probes.summary(probe_measures.measures(study(bn, plain), tmp_path))
    assert row(table, "loss_range")["ratio"] == pytest.approx(0.5)
    assert table["ratio_low"].isna().all()


@pytest.mark.parametrize("show", ["loss_range", "predictiveness", "beta", "ics"])
def test_a_study_without_a_finished_run_says_so_in_table_and_figure(show, tmp_path):
    s = study(variant(True), show=show)
    probes.write(s, tmp_path / "runs", tmp_path)
    assert "No complete probed run" in (tmp_path / "probes_table.md").read_text()
    probe_figures.write(s, tmp_path / "runs", tmp_path)
    assert (tmp_path / "probes.png").exists() and (tmp_path / "probes.svg").exists()


@pytest.mark.parametrize("show", ["loss_range", "predictiveness", "beta", "ics"])
def test_both_networks_stand_in_every_frame_told_apart_without_colour(show, tmp_path):
    members = [variant(b, lr) for b in (True, False) for lr in (0.1, 0.2)]
    for v in members:
        for seed in v.seeds:
            write_run(tmp_path / "runs", v, seed, [(1, 2), (3, 1)], step_losses=(1.0, 3.0))
    s = study(*members, show=show, bands={"text": [0.1, 0.2]} if show in ("loss_range", "ics") else {})
    s = s.model_copy(update={"title": "Batch norm and the predictiveness of the gradient " * 2})
    probes.write(s, tmp_path / "runs", tmp_path)
    measures = pd.read_csv(tmp_path / "probes.csv", keep_default_na=False)
    figure = probe_figures.draw(
        s, measures, pd.read_csv(tmp_path / "probes_table.csv", keep_default_na=False)
    )
    assert cut(figure) == [] and probe_figures.BANDS[show] in words(figure)
    frames = [axes for axes in figure.axes if axes.get_xlabel() == "training step"]
    assert frames
    for axes in frames:
        styles = {(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}
        assert styles == {("#0072B2", "-"), ("#E69F00", "--")}
    reported = [axes for axes in figure.axes if "as reported" in axes.get_title()]
    assert len(reported) == {"loss_range": 1, "predictiveness": 0, "beta": 2, "ics": 1}[show]
    for axes in frames:
        is_range = show in ("loss_range", "predictiveness") or (axes in reported and show == "ics")
        fills = [c for c in axes.collections if isinstance(c, PolyCollection)]
        assert len(fills) == (2 if is_range else 0)
        if axes not in reported:
            assert bool(fills) == probe_figures.BANDS[show].startswith("band")  # what its title says


def test_losses_that_spread_over_decades_get_a_logarithmic_axis(tmp_path):
    for spread, scale in ((2.0, "linear"), (1e5, "log")):
        runs = tmp_path / scale
        bn = variant(True, seeds=(0,))
        write_run(runs, bn, 0, [(1, spread), (1, spread)])
        s = study(bn)
        found = probe_measures.measures(s, runs)
        assert probe_figures.draw(s, found, probes.summary(found)).axes[0].get_yscale() == scale


def test_a_band_is_filled_from_the_lowest_to_the_highest_loss(tmp_path):
    bn = variant(True, seeds=(0,))
    write_run(tmp_path, bn, 0, [(1, 2), (3, 1)])
    found = probe_measures.measures(study(bn), tmp_path)
    axes = probe_figures.draw(study(bn), found, probes.summary(found)).axes[0]
    (fill,) = (c for c in axes.collections if isinstance(c, PolyCollection))
    corners = {tuple(point) for point in fill.get_paths()[0].vertices}
    assert {(0, 1), (0, 2), (30, 1), (30, 3)} <= corners


def test_the_interval_of_a_ratio_is_the_t_interval_of_its_logarithm(tmp_path):
    bn, plain = variant(True, seeds=(0, 1, 2)), variant(False, seeds=(0, 1, 2))
    for seed, high in enumerate((2.0, 3.0, 9.0)):  # ranges 1, 2, 8 against 1
        write_run(tmp_path, bn, seed, [(1, high)])
        write_run(tmp_path, plain, seed, [(1, 2)])
    found = row(probes.summary(probe_measures.measures(study(bn, plain), tmp_path)), "loss_range")
    logs = np.log([1.0, 2.0, 8.0])
    low, high = stats.t.interval(0.95, 2, loc=logs.mean(), scale=stats.sem(logs))
    assert found["ratio"] == pytest.approx(math.exp(logs.mean()))
    assert (found["ratio_low"], found["ratio_high"]) == pytest.approx((math.exp(low), math.exp(high)))
    assert found["seeds"] == 3


def test_a_step_that_only_one_network_was_probed_at_has_no_ratio(tmp_path):
    bn, plain = variant(True, seeds=(0,)), variant(False, seeds=(0,))
    write_run(tmp_path, bn, 0, [(1, 2), (1, 100)])
    write_run(tmp_path, plain, 0, [(1, 3)])
    found = row(probes.summary(probe_measures.measures(study(bn, plain), tmp_path)), "loss_range")
    assert (found["ratio"], found["steps"]) == (0.5, 1)


def test_the_difference_of_cosines_is_the_median_over_steps_and_the_mean_over_seeds(tmp_path):
    bn, plain = variant(True), variant(False)
    for seed, shift in ((0, 1.0), (1, 3.0)):
        write_run(tmp_path, bn, seed, [(1, 1)] * 3, shift=[shift, shift, 9.0])
        write_run(tmp_path, plain, seed, [(1, 1)] * 3, shift=0.0)
    table = probes.summary(probe_measures.measures(study(bn, plain, show="ics"), tmp_path))
    assert row(table, "ics_cosine", "conv2")["difference"] == pytest.approx(-(0.1 + 0.3) / 2)


def test_the_band_of_shifts_is_of_the_second_convolution_alone(tmp_path):
    members = [variant(True, lr, seeds=(0,), probe={"ics": ["conv2", "conv4"]}) for lr in (0.1, 0.2)]
    for v, shift in zip(members, (1.0, 3.0), strict=True):
        write_run(tmp_path, v, 0, [(1, 1)], shift=shift, other=100 * shift)
    s = study(*members, show="ics", bands={"code": [0.1, 0.2]})
    found = probe_measures.measures(s, tmp_path)
    band = found[found["quantity"] == "ics_band"]
    assert band[["layer", "low", "high"]].values.tolist() == [["conv2", 1.0, 3.0]]
    assert set(found.loc[found["quantity"] == "ics", "layer"]) == {"conv2", "conv4"}


def test_the_reported_beta_is_of_step_sizes_along_the_negative_gradient(tmp_path):
    bn = variant(True, seeds=(0,), probe={"gradient": {"absolute": [0.1, 0.4], "relative": [1]}})
    write_run(tmp_path, bn, 0, [(1, 1)])
    path = next(tmp_path.glob("*/seed0/probes.csv"))
    table = pd.read_csv(path)
    relative = table.assign(grid="relative", gradient_distance=1e6)
    pd.concat([table, relative]).to_csv(path, index=False)
    found = probe_measures.measures(study(bn, show="beta"), tmp_path)
    reported = found[(found["quantity"] == "beta_reported") & (found["layer"] == "all")]
    assert reported["value"].tolist() == [max(1 / 0.1, 2 / 0.4)]


def test_shifts_that_diverge_are_infinite_and_those_without_a_gradient_undefined(tmp_path):
    bn, plain = variant(True, seeds=(0,)), variant(False, seeds=(0,))
    write_run(tmp_path, bn, 0, [(1, 1)] * 3, shift=1.0)
    write_run(tmp_path, plain, 0, [(1, 1)] * 3, shift=2.0)
    path = tmp_path / plain.spec.run / "seed0" / "shifts.csv"
    table = pd.read_csv(path)
    table.loc[0, ["norm", "relative", "cosine"]] = math.nan  # diverged
    table.loc[1, ["relative", "cosine"]], table.loc[1, "norm"] = math.nan, 0.0  # no gradient
    table.to_csv(path, index=False)
    s = study(bn, plain, show="ics")
    found = probes.summary(probe_measures.measures(s, tmp_path))
    for quantity, infinite, undefined, steps in (("ics", 1, 0, 3), ("ics_relative", 1, 1, 2)):
        own = row(found, quantity, "conv2")
        assert (own["infinite_plain"], own["undefined_plain"], own["steps"]) == (infinite, undefined, steps)
    assert row(found, "ics_cosine", "conv2")["undefined_plain"] == 2
    text = probes.sheet(s, found).markdown()
    assert "diverging probes, with / without" in text and "undefined (0 / 0), with / without" in text


def test_no_gradient_is_no_divergence(tmp_path):
    bn = variant(True, seeds=(0,))
    write_run(tmp_path, bn, 0, [(1, 1)])
    path = next(tmp_path.glob("*/seed0/probes.csv"))
    pd.read_csv(path).assign(gradient_distance=0.0, length=0.0).to_csv(path, index=False)
    table = probes.summary(probe_measures.measures(study(bn, show="beta"), tmp_path))
    found = row(table, "beta")
    assert (found["infinite_bn"], found["undefined_bn"]) == (0, 1)
    assert row(table, "beta_reported")["bn"] == 0


def test_runs_that_enter_nothing_are_named_above_the_table(tmp_path):
    bn, plain = variant(True), variant(False)
    write_run(tmp_path / "runs", bn, 0, [(1, 2)])
    write_run(tmp_path / "runs", bn, 1, [(1, 2)], state="diverged")
    probes.write(study(bn, plain), tmp_path / "runs", tmp_path)
    text = (tmp_path / "probes_table.md").read_text()
    missing = "plain_0.1 seed 0 (missing), plain_0.1 seed 1 (missing)"
    assert f"Left out: bn_0.1 seed 1 (diverged), {missing}." in text


def test_a_network_that_always_has_batch_norm_is_not_called_one_without():
    spec = variant(True).spec.model_dump() | {"model": {"name": "resnet9"}}
    v = variant(True).model_copy(update={"spec": RunSpec.model_validate(spec)})
    (pair,) = probe_measures.pairs(study(v))
    assert pair.bn == v and pair.plain is None


def test_of_an_even_number_of_steps_the_middle_ratio_is_geometric(tmp_path):
    """Else one huge ratio beside a tiny one would say that batch norm's range is wider."""
    bn, plain = variant(True, seeds=(0,)), variant(False, seeds=(0,))
    write_run(tmp_path, bn, 0, [(0, 100), (0, 1)])
    write_run(tmp_path, plain, 0, [(0, 1), (0, 100)])
    found = row(probes.summary(probe_measures.measures(study(bn, plain), tmp_path)), "loss_range")
    assert found["ratio"] == pytest.approx(1.0)


def test_names_of_quantities_are_plain_text_in_every_format():
    """Tables escape what Markdown, LaTeX and HTML would read as markup."""
    assert not [name for name in probes.NAMES.values() if set(name) & set("*_`\\")]


def test_where_one_seeds_ratio_is_infinite_the_median_over_seeds_stands():
    rows = [
        {"trajectory": "t", "quantity": "beta", "line": "gradient", "grid": "absolute", "layer": "all"}
        | {"network": network, "seed": seed, "step": 0, "value": value}
        for network, values in (("bn", [float("inf"), 2.0, 3.0]), ("plain", [1.0] * 3))
        for seed, value in enumerate(values)
    ]
    (row,) = probes.summary(pd.DataFrame(rows)).to_dict("records")
    assert row["ratio"] == pytest.approx(3.0) and pd.isna(row["ratio_low"]) and row["infinite_bn"] == 1


def test_a_band_is_over_the_runs_at_its_learning_rates_and_no_others_seed_by_seed(tmp_path):
    members = [variant(True, lr) for lr in (0.1, 0.2, 0.3)]
    for v in members:
        for seed in v.seeds:
            write_run(tmp_path, v, seed, [(1, 1)], step_losses=(100 * seed + 10 * v.spec.optimizer.lr,))
    found = probe_measures.measures(study(*members, bands={"text": [0.1, 0.2]}), tmp_path)
    band = found[found["quantity"] == "loss_band"].set_index("seed")
    assert band[["low", "high", "value"]].loc[0].tolist() == pytest.approx([1.0, 2.0, 1.0])
    assert band[["low", "high", "value"]].loc[1].tolist() == pytest.approx([101.0, 102.0, 1.0])


def test_a_band_has_no_seed_that_one_of_its_runs_lacks(tmp_path):
    """The range of fewer learning rates would be narrower."""
    first, second = variant(True, 0.1), variant(True, 0.2)
    write_run(tmp_path, first, 0, [(1, 1)], step_losses=(1.0,))
    write_run(tmp_path, first, 1, [(1, 1)], step_losses=(1.0,))
    write_run(tmp_path, second, 1, [(1, 1)], step_losses=(4.0,))
    found = probe_measures.measures(study(first, second, bands={"text": [0.1, 0.2]}), tmp_path)
    band = found[found["quantity"] == "loss_band"]
    assert band[["seed", "low", "high"]].values.tolist() == [[1, 1.0, 4.0]]
