"""The figure of a sweep shows what was measured at each value, and is there for every reader of results."""

import json

import numpy as np
import pytest
import yaml
from scipy import stats

from helpers.figures import cut, words
from pj.config.loading import load
from pj.config.words import Words
from pj.report.figures import sweep
from pj.report.pages import html, markdown, source
from pj.report.pages.keep import keep
from pj.workflow import outputs

LONG = "The influence of WIDE and DEEP batch-normalised networks on the smoothness of a gradient's way"
BASE = {
    "data": {"name": "digits"},
    "model": {"name": "mlp"},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "epochs": 2,
    "batch_size": 10,
}
TRAINING = {
    "precision": "fp32",
    "threads": 1,
    "code": "c",
    "provenance": {"device": "cpu", "processor": "P", "torch": "2", "commit": "abc"},
}


def swept(tmp_path, swept, seeds, title="A sweep", **study):
    frame = {"title": title, "compare": "best_test", "base": BASE, "sweep": swept} | study
    content = {"standalone": True, "seeds": list(range(seeds)), "datasets": {"digits": {"source": "digits"}}}
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(content | {"studies": {"s": frame}}, sort_keys=False)
    )
    return load(tmp_path / "config.yaml")


def write_runs(runs, study, accuracies):
    """Write runs of each variant with these test accuracies, one per seed; None: the run diverged."""
    for variant, of_seeds in zip(study.variants, accuracies, strict=True):
        for seed, accuracy in enumerate(of_seeds):
            folder = runs / variant.spec.run / f"seed{seed}"
            folder.mkdir(parents=True)
            state = "diverged" if accuracy is None else "complete"
            row = None if accuracy is None else {"epoch": 1, "test_accuracy": accuracy}
            evaluation = {
                "state": state,
                "diverged_at_step": None,
                "parameters": 5,
                "epochs": 2,
                "seconds": 1.0,
            }
            evaluation |= {"last": row, "best_test": row, "training": TRAINING}
            (folder / "evaluation.json").write_text(json.dumps(evaluation))
            (folder / "run.json").write_text(json.dumps({"state": state}))
            (folder / "metrics.csv").write_text(
                "epoch,train_loss,train_accuracy,test_loss,test_accuracy\n1,1,50,1,50\n2,1,50,1,50\n"
            )


def lines(figure):
    """Return the points of what has a name in the legend, by that name."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    return {
        label: np.transpose(handle.get_data())
        for handle, label in zip(handles, labels, strict=True)
        if label != "95 % interval"
    }


def test_the_figure_shows_means_their_intervals_every_seed_and_the_papers_numbers(tmp_path):
    accuracies = [[50.0, 52.0, 57.0], [60.0, 61.0, 62.0]]
    reported = {"dropout_0.2": {"reported": {"accuracy": 55.5}}}
    study = swept(tmp_path, {"model.dropout": [0.4, 0.2]}, 3, variants=reported).study("s")
    write_runs(tmp_path, study, accuracies)
    figure = sweep.draw(study, tmp_path)
    drawn = lines(figure)
    assert drawn["mean"].tolist() == [[0.2, 61.0], [0.4, 53.0]]  # by value, whatever the order of variants
    assert sorted(map(tuple, drawn["one seed"])) == [
        *((0.2, accuracy) for accuracy in accuracies[1]),
        *((0.4, accuracy) for accuracy in accuracies[0]),
    ]
    (band,) = figure.axes[0].collections
    corners = {(round(x, 6), round(y, 6)) for x, y in band.get_paths()[0].vertices}
    for value, own in zip((0.4, 0.2), accuracies, strict=True):
        ends = stats.t.interval(0.95, 2, loc=np.mean(own), scale=stats.sem(own))
        assert {(value, round(end, 6)) for end in ends} <= corners
    assert drawn["paper"][0].tolist() == [0.2, 55.5]
    assert figure.axes[0].get_xscale() == "linear" and figure.axes[0].get_xlabel() == "model.dropout"


def test_a_value_that_switches_something_off_is_drawn_at_zero(tmp_path):
    base = BASE | {"schedule": {"name": "cosine"}, "epochs": 3}
    study = swept(tmp_path, {"schedule.warmup": [0, 1, 2]}, 2, base=base).study("s")
    write_runs(tmp_path, study, [[50.0] * 2, [52.0] * 2, [51.0] * 2])
    assert lines(sweep.draw(study, tmp_path))["mean"].tolist() == [[0, 50], [1, 52], [2, 51]]


def test_diverged_runs_are_counted_and_enter_no_mean(tmp_path):
    study = swept(tmp_path, {"optimizer.lr": ["1e-3", "1e-2", "1e-1"]}, 2).study("s")
    write_runs(tmp_path, study, [[50.0, 52.0], [60.0, None], [None, None]])
    figure = sweep.draw(study, tmp_path)
    mean = lines(figure)["mean"]
    assert mean[:2].tolist() == [[0.001, 51.0], [0.01, 60.0]] and np.isnan(mean[2, 1])
    text = words(figure)
    assert "1/2" in text and "2/2" in text and "diverged: 3 of 6 runs" in text
    assert figure.axes[0].get_xscale() == "log"


def test_a_missing_run_is_not_counted_as_a_diverged_one(tmp_path):
    study = swept(tmp_path, {"optimizer.lr": ["1e-3", "1e-2"]}, 2).study("s")
    write_runs(tmp_path, study, [[50.0], [60.0]])
    assert "diverged" not in words(sweep.draw(study, tmp_path))


@pytest.mark.parametrize(("compare", "wanted"), [("best_test", 55.5), ("selected", 54.5)])
def test_the_papers_number_is_that_of_the_accuracy_that_is_compared(compare, wanted, tmp_path):
    base = BASE | {"data": {"name": "digits", "validation": 100}, "select": "best_validation"}
    reported = {"dropout_0.2": {"reported": {"accuracy": 55.5, "test": 54.5}}}
    both = {"base": base, "compare": compare, "variants": reported}
    study = swept(tmp_path, {"model.dropout": [0.2, 0.4]}, 1, **both).study("s")
    assert lines(sweep.draw(study, tmp_path))["paper"][0].tolist() == [0.2, wanted]


@pytest.mark.parametrize(("count", "seeds"), [(3, 5), (12, 1), (12, 5)])
def test_nothing_is_cut_with_long_titles_many_values_and_diverged_runs(count, seeds, tmp_path):
    spaced = {"optimizer.lr": {"from": 1e-6, "to": 1.0, "count": count, "log": True}}
    study = swept(tmp_path, spaced, seeds, LONG).study("s")
    write_runs(tmp_path, study, [*([[90.0 + s for s in range(seeds)]] * (count - 1)), [None] * seeds])
    figure = sweep.draw(study, tmp_path)
    assert cut(figure) == [] and LONG in words(figure)
    assert ("one seed, so no interval" in words(figure)) == (seeds == 1)


def test_runs_that_all_diverged_or_are_missing_make_a_figure_too(tmp_path):
    study = swept(tmp_path, {"model.dropout": [0.1, 0.2, 0.3]}, 1).study("s")
    write_runs(tmp_path, study, [[None], [None], []])
    assert "no complete run" in words(sweep.draw(study, tmp_path))


def test_results_pages_and_what_is_kept_have_the_figure(tmp_path):
    config = swept(tmp_path, {"model.dropout": [0.1, 0.2]}, 2)
    assert "results/studies/s/sweep.png" in outputs.figures(config)
    write_runs(tmp_path / "results" / "runs", config.study("s"), [[50.0, 52.0], [60.0, 61.0]])
    keep(config, tmp_path / "results", tmp_path / "kept")
    kept = source.kept(tmp_path / "kept")  # its settings load
    assert kept.config.study("s") == config.study("s")
    markdown.write([], [kept], Words(), tmp_path / "kept" / "report.md")
    assert "(studies/s/sweep.png)" in (tmp_path / "kept" / "report.md").read_text()
    html.write([], [kept], Words(), tmp_path / "kept" / "report.html")
    assert "accuracy against the value" in (tmp_path / "kept" / "report.html").read_text()
