"""numbers.tex: each number of the tables and claims under its own key, for LaTeX."""

import math
import re
import shutil
import subprocess

import pandas as pd
import pytest
from scipy import stats

from helpers.results import CLAIMS, CONFIG, write_run
from pj.claims import verdicts
from pj.claims.evidence import Evidence
from pj.claims.loading import of as claims_of
from pj.config import loading
from pj.config.words import Words
from pj.errors import UserError
from pj.report.pages.keep import keep
from pj.report.pages.source import Source
from pj.report.tables import classes, numbers, probes, studies

SLOW, FAST = (1050.0, 1052.0, 1054.0), (1040.0, 1049.0, 1046.0)  # thousands have a comma in no accuracy


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A project with six finished runs and their tables."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    monkeypatch.chdir(tmp_path)
    config = loading.load("config.yaml")
    for variant, values in zip(config.study("own").variants, (SLOW, FAST), strict=True):
        for seed, value in enumerate(values):
            write_run(tmp_path / "results" / "runs", variant, seed, value)
    results = tmp_path / "results"
    studies.write(config.study("own"), results / "runs", results / "studies" / "own")
    return config


def written(config, folder):
    evidence = Evidence(folder)
    judged = verdicts.judge(claims_of(config), [evidence], config)
    numbers.write(judged, [Source(evidence, config)], Words(), folder / "numbers.tex")
    return (folder / "numbers.tex").read_text()


def pairs(text):
    """Return keys and values, in the order of the file."""
    return re.findall(r"^\\pjdef\{([^{}]*)\}\{(.*)\}%$", text, re.MULTILINE)


def test_each_number_has_one_key_and_is_rounded_as_the_table_rounds_it(own, tmp_path):
    text = written(own, tmp_path / "results")
    found = dict(pairs(text))
    assert len(found) == len(pairs(text)) == text.count("\n\\pjdef")
    half = stats.t.ppf(0.975, 2) * 2 / math.sqrt(3)
    assert found["own/slow/selected"] == "1052.00"
    assert found["own/slow/selected/half"] == f"{half:.2f}"
    assert found["own/slow/selected/interval"] == rf"\ensuremath{{1052.00 \pm {half:.2f}}}"
    assert found["own/slow/parameters"] == r"\ensuremath{1{,}234}"
    assert (found["own/slow/paper/test"], found["own/slow/seeds"], found["own/slow/diverged"]) == (
        *("56.10", "3", "0"),
    )
    differences = [fast - slow for fast, slow in zip(FAST, SLOW, strict=True)]
    low, high = stats.t.interval(0.95, 2, loc=-7.0, scale=stats.sem(differences))
    assert found["own/fast_1.5/difference"] == r"\ensuremath{-7.00}"
    assert found["own/fast_1.5/difference/half"] == f"{(high - low) / 2:.2f}"
    assert "own/slow/difference" not in found and "own/slow/paper/train" not in found
    claim = {key: found[f"claim/3/{key}"] for key in ("value", "low", "high", "seeds", "verdict", "p")}
    signed = [rf"\ensuremath{{{value:+.2f}}}" for value in (-7.0, low, high)]
    p = stats.ttest_1samp(differences, 0).pvalue
    assert list(claim.values()) == [*signed, "3", "inconclusive", f"{p:.2g}"]
    table = (tmp_path / "results" / "studies" / "own" / "table.md").read_text()
    assert f"1052.00 ± {half:.2f}" in table and f"−7.00 ± {(high - low) / 2:.2f}" in table


def test_runs_are_counted_by_state_and_the_papers_difference_has_its_sign(own, tmp_path):
    row = {"variant": "slow", "seeds": 4, "diverged": "0 12 3", "missing": "7", "reported_difference": 1.5}
    pd.DataFrame([row]).to_csv(tmp_path / "results" / "studies" / "own" / "table.csv", index=False)
    found = dict(pairs(written(own, tmp_path / "results")))
    assert [found[f"own/slow/{key}"] for key in ("seeds", "diverged", "missing")] == ["4", "3", "1"]
    assert found["own/slow/paper/difference"] == r"\ensuremath{+1.50}"


def test_the_accuracy_of_each_class_has_a_key_of_its_name_or_place(own, tmp_path):
    names = ["007", "T-shirt/top", "a b", "ü", "100 %", "nan"]
    right, wrong = [1, 1, 0, 3, 3, 3], [1, 2, 4, 0, 0, 0]  # the wrong ones are taken for the next class
    rows = [
        ["slow", name, names[(i + k) % 6], images, 100 * images / (right[i] + wrong[i])]
        for i, name in enumerate(names)
        for k, images in enumerate((right[i], wrong[i]))
        if images
    ]
    path = tmp_path / "results" / "studies" / "own" / "classes.csv"
    pd.DataFrame(rows, columns=classes.COLUMNS).to_csv(path, index=False)
    text = written(own, tmp_path / "results")
    assert {key: value for key, value in pairs(text) if "/class/" in key} == {
        "own/slow/class/007": "50.00",
        "own/slow/class/T-shirt/top": "33.33",
        "own/slow/class/a b": "0.00",
        "own/slow/class/number/3": "100.00",
        "own/slow/class/number/4": "100.00",
        "own/slow/class/nan": "100.00",
    }
    assert text.isascii()


def test_a_mean_of_some_runs_of_an_analysis_has_no_key(own, tmp_path):
    """It would pass for that of all complete ones."""
    settings = "settings: {layers: [linear1], percents: [0, 50]}"
    pruning = f"{{title: P, study: own, methods: {{slow: [magnitude]}}, {settings}}}"
    (tmp_path / "config.yaml").write_text(f"{CONFIG}prunings: {{p: {pruning}}}\n")
    head = {"variant": "slow", "state": "complete", "method": "magnitude", "draw": 0, "outside_support": 0.0}
    rows = [
        head | {"seed": seed, "percent": percent, "accuracy": accuracy}
        for percent, accuracies in ((0, (50.0, 51.0, 53.0)), (50, (40.0, 41.0, None)))
        for seed, accuracy in enumerate(accuracies)
    ]
    folder = tmp_path / "results" / "prunings" / "p"
    folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    found = dict(pairs(written(loading.load("config.yaml"), tmp_path / "results")))
    assert found["prunings/p/slow/magnitude/0"] == f"{(50 + 51 + 53) / 3:.2f}"
    assert "prunings/p/slow/magnitude/50" not in found


def test_a_table_of_probes_that_nothing_asks_for_any_more_has_no_keys(own, tmp_path):
    row = dict.fromkeys(probes.KEYS, "k") | {"ratio": 1.5}
    pd.DataFrame([row]).to_csv(tmp_path / "results" / "studies" / "own" / "probes_table.csv", index=False)
    assert "probes" not in written(own, tmp_path / "results")


def test_the_file_is_ascii_with_balanced_braces(own, tmp_path):
    text = written(own, tmp_path / "results")
    assert text.isascii()
    for line in text.splitlines():
        if line.startswith("\\pjdef"):
            depth = 0
            for sign in line.removesuffix("%"):
                depth += {"{": 1, "}": -1}.get(sign, 0)
                assert depth >= 0
            assert depth == 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("95.06", "95.06"),
        ("−2.83 ± 1.13", r"\ensuremath{-2.83 \pm 1.13}"),
        ("+2.83 (+1.71 … −3.96)", r"\ensuremath{+2.83 (+1.71 \ldots {-}3.96)}"),
        ("× 2.48", r"\ensuremath{\times 2.48}"),
        ("100 %", r"\ensuremath{100\,\%}"),
        ("4.9e−05", r"\ensuremath{4.9 \times 10^{-5}}"),
        ("1.2e+06", r"\ensuremath{1.2 \times 10^{6}}"),
        ("1,234", r"\ensuremath{1{,}234}"),
        ("∞", r"\ensuremath{\infty}"),
    ],
)
def test_signs_are_mathematics_in_text_and_in_formulas(text, wanted):
    assert numbers.mathematics(text) == wanted


def test_what_is_kept_has_its_numbers(own, tmp_path):
    keep(own, tmp_path / "results", tmp_path / "kept")
    assert (tmp_path / "kept" / "numbers.tex").read_text() == written(own, tmp_path / "results")


def test_two_numbers_of_one_key_are_refused_by_name(own, tmp_path):
    content = (
        CONFIG.replace("  own:\n", "  claim:\n").replace("fast_1.5", '"3"').replace("claims: claims.yaml", "")
    )
    (tmp_path / "config.yaml").write_text(content)
    config = loading.load("config.yaml")
    table = pd.DataFrame({"variant": ["3"], "seeds": [1]})
    (tmp_path / "results" / "studies" / "claim").mkdir()
    table.to_csv(tmp_path / "results" / "studies" / "claim" / "table.csv", index=False)
    evidence = Evidence(tmp_path / "results")
    judged = verdicts.judge(claims_of(own), [evidence], own)
    with pytest.raises(UserError, match="two numbers have the key claim/3/seeds; rename"):
        numbers.write(judged, [Source(evidence, config)], Words(), tmp_path / "numbers.tex")


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex")
@pytest.mark.parametrize(("key", "status"), [("own/slow/selected", 0), ("own/slwo/selected", 1)])
def test_latex_reads_every_key_and_names_an_unknown_one(own, tmp_path, key, status):
    folder = tmp_path / "results"
    found = pairs(written(own, folder))
    uses = "\n".join(rf"\pjnum{{{name}}} $\pjnum{{{name}}}$" for name in [*dict(found), key])
    (folder / "paper.tex").write_text(
        f"\\documentclass{{article}}\\input{{numbers.tex}}\\begin{{document}}\n{uses}\n\\end{{document}}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-output-format=dvi", "paper.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert bool(run.returncode) == bool(status), run.stdout[-2000:]
    assert ("numbers.tex has no number 'own/slwo/selected'" in run.stdout) == bool(status)
