import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from helpers.results import study, variant, write_run
from pj.claims.evidence import Evidence
from pj.config.loading import Config
from pj.config.settings import Scale, Settings
from pj.config.spec import RunSpec
from pj.config.words import Words
from pj.report.figures import curves
from pj.report.pages import markdown
from pj.report.pages.keep import keep
from pj.report.pages.source import Source
from pj.report.tables import studies
from pj.report.text.labels import number
from pj.statistics import estimate


def cells(text):
    """Return a Markdown table as a list of dictionaries."""
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_an_interval_is_the_t_interval_of_the_mean():
    values = [80.0, 82.0, 81.0, 85.0]
    found = estimate(values)
    low, high = stats.t.interval(0.95, 3, loc=82.0, scale=stats.sem(values))
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))


def test_one_value_has_no_interval_and_none_has_no_mean():
    assert estimate([3.0]).half_width is None
    assert estimate([]) is None
    assert estimate([math.nan, None]) is None


@given(st.lists(st.floats(0, 100), min_size=2, max_size=20))
def test_values_that_are_not_finite_never_enter_a_mean(values):
    assert estimate([*values, math.nan, math.inf, None]) == estimate(values)


@pytest.mark.parametrize(
    ("value", "style", "wanted"),
    [
        (-0.004, "{:.2f}", "0.00"),
        (-0.004, "{:+.2f}", "0.00"),
        (0.0, "{:+.2f}", "0.00"),
        (-0.0, "{:g}", "0"),
        (-0.0004, "{:.1%}", "0.0 %"),
        (-0.0001, "× {:.2f}", "× 0.00"),
        (-0.006, "{:+.2f}", "−0.01"),
        (0.006, "{:+.2f}", "+0.01"),
        (-1e-9, "{:.2g}", "−1e−09"),
        (float("-inf"), "{:.2f}", "−inf"),
    ],
)
def test_what_is_rounded_to_zero_has_no_sign(value, style, wanted):
    assert number(value, style) == wanted


def test_a_table_shows_means_with_intervals_over_seeds(tmp_path):
    a = variant("a", 0.1, test=56.09)
    for seed, accuracy in enumerate((50.0, 52.0, 54.0)):
        write_run(tmp_path, a, seed, accuracy)
    row = cells(studies.sheet(studies.collect(study(a), tmp_path)).markdown())[0]
    half = stats.t.ppf(0.975, 2) * 2 / math.sqrt(3)
    assert row["test (%), best validation epoch"] == f"52.00 ± {half:.2f}"
    assert row["test (%), last epoch"] == f"53.00 ± {half:.2f}"
    assert row["test (%), best test epoch"] == f"54.00 ± {half:.2f}"
    assert row["train (%), running"] == f"47.00 ± {half:.2f}"
    assert row["paper, test (%)"] == "56.09"
    assert (row["parameters"], row["time (s)"], row["seeds"]) == ("1,234", "11.0", "3")


def test_the_selected_epoch_is_not_called_the_best_of_validation_where_a_variant_has_no_validation(tmp_path):
    a, b = variant("a", 0.1), variant("b", 0.2)
    last = b.spec.model_copy(update={"select": "last"})
    for one in (a, b := b.model_copy(update={"spec": last})):
        write_run(tmp_path, one, 0, 50.0)
    row = cells(studies.sheet(studies.collect(study(a, b, reference="a"), tmp_path)).markdown())[1]
    assert row["test (%), selected epoch"] == "50.00" and "minus a (points, selected epoch)" in row


def test_a_single_seed_shows_no_interval(tmp_path):
    a = variant("a", 0.1, seeds=(0,))
    write_run(tmp_path, a, 0, 50.0)
    text = studies.sheet(studies.collect(study(a), tmp_path)).markdown()
    assert "±" not in text
    assert "1 seed, so no interval" in text
    assert cells(text)[0]["test (%), best validation epoch"] == "50.00"


def test_diverged_and_missing_runs_are_named_and_never_averaged(tmp_path):
    a = variant("a", 0.1)
    write_run(tmp_path, a, 0, 50.0)
    write_run(tmp_path, a, 1, 0.0, state="diverged")
    row = cells(studies.sheet(studies.collect(study(a), tmp_path)).markdown())[0]
    assert row["notes"] == "diverged: seed 1; missing: seed 2"
    assert row["test (%), best validation epoch"] == "50.00"
    assert row["seeds"] == "1"


def test_a_study_of_which_nothing_was_run_still_has_a_table(tmp_path):
    row = cells(studies.sheet(studies.collect(study(variant("a", 0.1)), tmp_path)).markdown())[0]
    assert row["notes"] == "missing: seed 0 1 2"
    assert row["test (%), best validation epoch"] == ""


def test_differences_to_the_reference_are_paired_by_seed(tmp_path):
    a, b = variant("a", 0.1), variant("b", 0.2, difference=-2.08)
    for seed, (x, y) in enumerate(((50.0, 51.0), (60.0, 62.0), (70.0, 73.0))):
        write_run(tmp_path, a, seed, x)
        write_run(tmp_path, b, seed, y)
    rows = cells(studies.sheet(studies.collect(study(a, b, reference="a"), tmp_path)).markdown())
    half = stats.t.ppf(0.975, 2) * 1 / math.sqrt(3)  # of 1, 2, 3; unpaired it would be far wider
    assert rows[1]["minus a (points, best validation epoch)"] == f"+2.00 ± {half:.2f}"
    assert rows[1]["paper, difference (points)"] == "−2.08"
    assert rows[0]["minus a (points, best validation epoch)"] == ""
    named = study(a.model_copy(update={"title": "Plain net"}), b, reference="a")
    rows = cells(studies.sheet(studies.collect(named, tmp_path)).markdown())
    assert "minus Plain net (points, best validation epoch)" in rows[0]


def test_a_difference_uses_only_seeds_that_both_completed(tmp_path):
    a, b = variant("a", 0.1), variant("b", 0.2)
    write_run(tmp_path, a, 0, 50.0)
    write_run(tmp_path, b, 1, 90.0)
    rows = cells(studies.sheet(studies.collect(study(a, b, reference="a"), tmp_path)).markdown())
    assert rows[1]["minus a (points, best validation epoch)"] == ""


def test_a_table_says_its_data_scale_and_machine(tmp_path):
    a = variant("a", 0.1, scale=Scale(name="small", epochs=2, train=600))
    write_run(tmp_path, a, 0, 50.0, precision="bf16")
    write_run(tmp_path, a, 1, 50.0, precision="fp32")
    first = studies.sheet(studies.collect(study(a), tmp_path)).markdown().splitlines()[0]
    assert "**digits, small scale (epochs 2, train 600)**" in first
    assert "bf16, fp32 on P (cpu)" in first  # two precisions in one table are seen


@pytest.mark.parametrize("scale", [None, Scale(name="small", epochs=1)])
@pytest.mark.parametrize("reported", [{}, {"test": 50.0}])
def test_only_a_reduced_table_beside_the_papers_numbers_is_said_not_to_compare(scale, reported, tmp_path):
    shown = study(variant("a", 0.1, scale=scale, **reported))
    said = "not comparable with the paper" in studies.label(studies.collect(shown, tmp_path))
    assert said == bool(scale and reported)


def test_one_reduced_variant_is_enough_for_a_table_not_to_compare(tmp_path):
    small = variant("b", 0.2, scale=Scale(name="small", epochs=1))
    found = studies.collect(study(variant("a", 0.1, test=50.0), small), tmp_path)
    assert "not comparable with the paper" in studies.label(found)


def edit_run(runs, variant, seed, **changes):
    path = runs / variant.spec.run / f"seed{seed}" / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_run_is_set_against_the_reference_image_by_image_and_step_by_step(tmp_path):
    a, b = variant("a", 0.1), variant("b", 0.2)
    for v in (a, b):
        for seed in (0, 1):
            write_run(tmp_path, v, seed, 50.0)
    edit_run(tmp_path, a, 0, wrong=[1, 2, 3])
    edit_run(tmp_path, b, 0, wrong=[3, 4])
    for v, losses in ((a, (1.0, 2.0)), (b, (1.5, 1.0))):
        text = "step,loss\n" + "".join(f"{i},{loss}\n" for i, loss in enumerate(losses))
        (tmp_path / v.spec.run / "seed1" / "steps.csv").write_text(text)
    found = studies.collect(study(a, b, reference="a"), tmp_path).runs.set_index(["variant", "seed"])
    assert found.loc[("b", 0), ["right_alone", "reference_right_alone"]].tolist() == [2, 1]
    assert found.loc[("b", 1), "step_loss_difference"] == 1.0
    assert np.isnan(found.loc[("a", 0), "right_alone"]) and np.isnan(found.loc[("b", 2), "right_alone"])
    assert np.isnan(found.loc[("b", 0), "step_loss_difference"])


def test_runs_of_another_schedule_have_other_code_and_are_no_mixture(tmp_path):
    """Code of a run that others may not use, too: its schedule's."""
    a = variant("a", 0.1, seeds=(0,))
    cosine = RunSpec.model_validate(a.spec.model_dump() | {"schedule": {"name": "cosine"}})
    b = a.model_copy(update={"name": "b", "spec": cosine})
    for v in (a, b):
        write_run(tmp_path, v, 0, 50.0)
    first, second = studies.collect(study(a, b), tmp_path).runs["components"]
    assert second == f"{first} cosine"


def test_a_moving_average_and_probes_are_components_of_a_run(tmp_path):
    """Whose code runs without them do not use."""
    a = variant("a", 0.1, seeds=(0,))
    parts = {"ema": {"decay": 0.9}, "probe": {"every": 1, "ics": ["linear1"]}}
    for name, part in parts.items():
        spec = RunSpec.model_validate(a.spec.model_dump() | {name: part})
        both = study(a, a.model_copy(update={"name": "b", "spec": spec}))
        first, second = studies.collect(both, tmp_path).runs["components"]
        assert second == f"{first} {name}"


def test_the_epochs_of_a_run_each_have_their_column(tmp_path):
    a = variant("a", 0.1, seeds=(0,))
    write_run(tmp_path, a, 0, 50.0)
    measured = {split: {"loss": 1.0, "accuracy": 50.0} for split in ("train", "validation", "test")}
    epochs = {"selected": {"epoch": 3} | measured, "best_test": {"epoch": 5, "test_accuracy": 52.0}}
    edit_run(tmp_path, a, 0, epochs=9, epochs_to_70=7, **epochs)
    (row,) = studies.collect(study(a), tmp_path).runs.to_dict("records")
    columns = ("selected_epoch", "best_test_epoch", "epochs_to_70", "epochs")
    assert [row[column] for column in columns] == [3, 5, 7, 9]


def test_the_support_of_each_layer_is_a_column_of_the_runs(tmp_path):
    a = variant("a", 0.1, seeds=(0,))
    write_run(tmp_path, a, 0, 50.0)
    edit_run(tmp_path, a, 0, last={"test_accuracy": 51.0, "support_conv3": 0.25})
    assert studies.collect(study(a), tmp_path).runs["support_conv3"].tolist() == [0.25]


def test_the_csv_files_hold_a_row_a_variant_and_a_row_a_run(tmp_path):
    a, b = variant("a", 0.1), variant("b", 0.2)
    write_run(tmp_path / "runs", a, 0, 50.0)
    studies.write(study(a, b), tmp_path / "runs", tmp_path / "out")
    table, runs = (pd.read_csv(tmp_path / "out" / name) for name in ("table.csv", "runs.csv"))
    assert table["variant"].tolist() == ["a", "b"]
    assert runs.groupby("variant")["seed"].apply(list).to_dict() == {"a": [0, 1, 2], "b": [0, 1, 2]}
    assert runs["state"].tolist() == ["complete"] + ["missing"] * 5


def draw(tmp_path, *variants):
    curves.write(study(*variants), tmp_path / "runs", tmp_path / "out")
    return tmp_path / "out" / "curves.png", tmp_path / "out" / "curves.svg"


def test_curves_are_drawn_as_png_and_svg_with_every_variant_named(tmp_path):
    a, b = variant("a", 0.1, title="first <one>"), variant("b", 0.2, title="second & last")
    for v in (a, b):
        for seed in v.seeds:
            write_run(tmp_path / "runs", v, seed, 50.0 + seed)
    png, svg = draw(tmp_path, a, b)
    assert png.read_bytes()[:4] == b"\x89PNG"
    words = " ".join(ET.parse(svg).getroot().itertext())
    for word in ("first <one>", "second & last", "A study", "digits, full scale", "solid: validation"):
        assert word in words


def test_a_band_reaches_from_the_lowest_to_the_highest_seed(tmp_path):
    a = variant("a", 0.1)
    for seed, accuracy in enumerate((50.0, 52.0, 57.0)):
        write_run(tmp_path, a, seed, accuracy)
    accuracies = curves.draw(study(a), tmp_path).axes[1]
    bands = [{y for _, y in band.get_paths()[0].vertices} for band in accuracies.collections]
    assert bands == [{50.0, 57.0}] * 2  # of training and of validation


def test_a_page_has_the_held_out_values_of_curves_before_those_of_training(tmp_path):
    a = variant("a", 0.1, seeds=(0,))
    write_run(tmp_path, a, 0, 50.0)
    (series,) = curves.values(study(a), tmp_path, curves.draw(study(a), tmp_path))["series"]
    assert series["loss"] == [[2.0, 1.0], [1.0, 0.5]]


def test_a_diverged_run_is_drawn_by_itself_up_to_its_divergence_and_enters_no_mean(tmp_path):
    a = variant("a", 0.1, seeds=(0, 1, 2))
    write_run(tmp_path / "runs", a, 0, 90.0, epochs=3)
    write_run(tmp_path / "runs", a, 1, 50.0, state="diverged", epochs=3)
    write_run(tmp_path / "runs", a, 2, 50.0, state="diverged", epochs=1)
    figure = curves.draw(study(a), tmp_path / "runs")
    for axes in figure.axes:
        crosses = [line for line in axes.get_lines() if line.get_marker() == "x" and len(line.get_xdata())]
        assert [line.get_xdata().tolist() for line in crosses] == [[2], [2]]  # train and validation
        assert np.isfinite(axes.get_ylim()).all()
    means = [
        line for line in figure.axes[1].get_lines() if line.get_linewidth() > 1 and line.get_marker() != "x"
    ]
    assert {tuple(line.get_ydata()) for line in means} == {(90, 90, 90)}
    words = [t.get_text() for t in figure.legends[0].get_texts()]
    assert words == ["a (2 of 3 diverged)"]


def test_a_variant_that_has_not_been_run_says_so_in_the_legend(tmp_path):
    a, b = variant("a", 0.1, seeds=(0,)), variant("b", 0.2, seeds=(0,))
    write_run(tmp_path / "runs", a, 0, 50.0)
    legend = curves.draw(study(a, b), tmp_path / "runs").legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b (not run)"]


def test_variants_with_and_without_a_validation_split_share_a_figure(tmp_path):
    a, b = variant("a", 0.1, seeds=(0,)), variant("b", 0.2, seeds=(0,))
    data = b.spec.data.model_copy(update={"validation": 0})
    b = b.model_copy(update={"spec": b.spec.model_copy(update={"data": data, "select": "last"})})
    for v in (a, b):
        write_run(tmp_path / "runs", v, 0, 50.0)
    assert len(curves.draw(study(a, b), tmp_path / "runs").legends[0].get_texts()) == 2


def test_a_figure_of_equal_curves_is_an_equal_file(tmp_path):
    a = variant("a", 0.1, seeds=(0,))
    write_run(tmp_path / "runs", a, 0, 50.0)
    first = [path.read_bytes() for path in draw(tmp_path, a)]
    assert [path.read_bytes() for path in draw(tmp_path, a)] == first


def report_of(tmp_path, *shown):
    for s in shown:
        studies.write(s, tmp_path / "runs", tmp_path / "studies" / s.name)
    (tmp_path / "modes").mkdir()
    (tmp_path / "modes" / "table.md").write_text("| modes |\n")
    variants = [v.model_copy(update={"study": s.name}) for s in shown for v in s.variants]
    content = settings_of(variants[0])
    content["studies"] = {s.name: content["studies"]["s"] | {"title": s.title} for s in shown}
    loaded = Config(Settings.model_validate(content), tuple(variants))
    markdown.write([], [Source(Evidence(tmp_path), loaded)], Words(), tmp_path / "report.md")
    return (tmp_path / "report.md").read_text()


def test_the_report_holds_every_study_with_its_figure_and_the_table_of_modes(tmp_path):
    text = report_of(tmp_path, study(variant("a", 0.1)), study(variant("a", 0.1), name="t", title="Another"))
    for part in ("## A study", "(studies/s/curves.png)", "## Another", "(studies/t/curves.png)", "| modes |"):
        assert part in text


def test_the_report_warns_of_what_is_reduced_and_of_nothing_else(tmp_path):
    full = study(variant("a", 0.1))
    small = study(variant("a", 0.1, scale=Scale(name="smoke", epochs=1), test=50.0), name="t")
    assert "too small" not in report_of(tmp_path / "1", full)
    assert "Everything here was measured at digits, smoke scale (epochs 1), which is too small" in report_of(
        tmp_path / "2", small
    )
    mixed = report_of(tmp_path / "3", full, small)
    assert "All of it" not in mixed
    assert "**digits, full scale**;" in mixed
    assert "**digits, smoke scale (epochs 1)** (not comparable with the paper)" in mixed


def test_a_title_with_a_bar_stays_in_its_cell(tmp_path):
    text = studies.sheet(studies.collect(study(variant("a", 0.1, title="x | y")), tmp_path)).markdown()
    assert "x \\| y" in text


def test_keeping_results_takes_what_is_finished_with_its_provenance(tmp_path):
    a, b = variant("a", 0.1, seeds=(0, 1)), variant("b", 0.2)
    write_run(tmp_path / "results" / "runs", a, 0, 50.0)
    loaded = Config(Settings.model_validate(settings_of(a, b)), (a, b.model_copy(update={"study": "t"})))
    assert keep(loaded, tmp_path / "results", tmp_path / "kept") == ["s"]
    kept = json.loads((tmp_path / "kept" / "provenance.json").read_text())
    assert [(m["commit"], m["precision"], m["rows"]) for m in kept["made_with"]] == [("abc", "fp32", 1)]
    assert kept["settings"]["seeds"] == [0, 1, 2]
    assert pd.read_csv(tmp_path / "kept" / "studies" / "s" / "runs.csv")["state"].tolist() == [
        "complete",
        "missing",
    ]
    assert not (tmp_path / "kept" / "studies" / "t").exists()


def settings_of(*variants):
    base = variants[0].spec.model_dump()
    frame = {"title": "A study", "report": "A 1", "compare": "selected", "base": base}
    studies = {name: frame | {"variants": {v.name: {}}} for name, v in zip("st", variants, strict=False)}
    return {"datasets": {"digits": {"source": "digits"}}, "seeds": [0, 1, 2], "studies": studies}


def mistakes(*counts, classes=("cat", "dog", "emu")):
    """An evaluation with these counts: rows of true classes."""
    return {"selected": {}, "classes": list(classes), "confusion": [list(row) for row in counts]}


def test_the_table_by_class_names_the_extremes_and_the_confusion_over_all_complete_runs(tmp_path):
    a, b = variant("a", 0.1, seeds=(0, 1)), variant("b", 0.2, seeds=(0,))
    for seed in a.seeds:
        write_run(tmp_path / "runs", a, seed, 50.0)
    edit_run(tmp_path / "runs", a, 0, **mistakes((4, 1, 0), (0, 5, 0), (0, 0, 0)))
    edit_run(tmp_path / "runs", a, 1, **mistakes((2, 0, 3), (0, 4, 1), (0, 0, 0)))
    studies.write(study(a, b), tmp_path / "runs", tmp_path / "studies" / "s")
    first, second = cells((tmp_path / "studies" / "s" / "classes.md").read_text())
    assert list(first.values()) == [
        "a", "2", "dog: 90.00", "cat: 60.00", "cat, taken for emu: 30.00 (3 of 10)",
    ]  # fmt: skip
    assert list(second.values()) == ["b", "0", "", "", ""]
    found = pd.read_csv(tmp_path / "studies" / "s" / "classes.csv").set_index(["class", "predicted"])
    assert found["images"].to_dict() == {
        ("cat", "cat"): 6, ("cat", "dog"): 1, ("cat", "emu"): 3, ("dog", "dog"): 9, ("dog", "emu"): 1,
    }  # fmt: skip
    assert found.loc[("cat", "emu"), "percent"] == 30.0
    assert "[Accuracy by class](studies/s/classes.md)" in report_of(tmp_path, study(a, b))


def test_the_table_by_class_names_the_runs_whose_classes_are_others_and_leaves_them_out(tmp_path):
    a = variant("a", 0.1, seeds=(0, 1, 2, 3))
    for seed in a.seeds:
        write_run(tmp_path / "runs", a, seed, 50.0)
    edit_run(tmp_path / "runs", a, 0, **mistakes((1, 1), (0, 2), classes=("cat", "dog")))
    edit_run(tmp_path / "runs", a, 1, **mistakes((1, 1), (0, 2), classes=("dog", "emu")))
    edit_run(tmp_path / "runs", a, 2, **mistakes((1, 1, 0), (0, 2, 0), (0, 0, 1)))
    edit_run(tmp_path / "runs", a, 3, **(mistakes((1, 1), (0, 2)) | {"classes": None}))  # with no names
    studies.write(study(a), tmp_path / "runs", tmp_path / "out")
    text = (tmp_path / "out" / "classes.md").read_text()
    assert cells(text)[0]["seeds"] == "1" and cells(text)[0]["worst class (%)"] == "cat: 50.00"
    assert "Left out: a, seed 1 (other classes), a, seed 2 (other classes), a, seed 3 (an older pj)." in text


def test_runs_that_an_older_pj_evaluated_have_no_table_by_class_and_fail_nothing(tmp_path):
    a = variant("a", 0.1, seeds=(0,))
    write_run(tmp_path / "runs", a, 0, 50.0)
    edit_run(tmp_path / "runs", a, 0, **(mistakes((1, 1), (0, 2)) | {"classes": None}))
    studies.write(study(a), tmp_path / "runs", tmp_path / "out")
    text = (tmp_path / "out" / "classes.md").read_text()
    assert cells(text)[0]["seeds"] == "0" and "Left out: a, seed 0 (an older pj)." in text


def test_each_column_of_a_table_is_the_accuracy_that_its_heading_names(tmp_path):
    a = variant("a", 0.1, seeds=(0,))
    write_run(tmp_path, a, 0, 50.0)
    path = tmp_path / a.spec.run / "seed0" / "evaluation.json"
    evaluation = json.loads(path.read_text())
    for k, split in enumerate(("train", "validation", "test")):
        evaluation["selected"][split] = {"loss": 1.0, "accuracy": 61.0 + k}
    evaluation["selected"]["running_train_accuracy"] = 60.0
    path.write_text(json.dumps(evaluation))
    found = studies.collect(study(a), tmp_path)
    wanted = {"train_running": 60, "train": 61, "validation": 62, "selected": 63, "last": 51, "best_test": 52}
    assert found.runs.iloc[0][list(wanted)].to_dict() == wanted
    text = [
        line.strip("|").split("|") for line in studies.sheet(found).markdown().splitlines() if line[:1] == "|"
    ]
    row = dict(zip(*([cell.strip() for cell in line] for line in (text[0], text[2])), strict=True))
    assert row["train (%), running"] == "60.00" and row["train (%), eval mode"] == "61.00"
    assert row["validation (%)"] == "62.00" and row["test (%), best validation epoch"] == "63.00"
