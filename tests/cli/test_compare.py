"""pj compare: what differs between two variants, and what the difference is."""

import re
import subprocess
import sys

import pytest
import yaml
from scipy import stats

from helpers.results import CONFIG, variant, write_run
from pj import cli
from pj.cli import compare
from pj.config import loading

SLOW, FAST = (50.0, 52.0, 54.0), (49.0, 49.5, 51.0)
PAIR = ["compare", "own/fast_1.5", "own/slow"]


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The variants of a project, slow and fast, without runs."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("claims: claims.yaml", ""))
    monkeypatch.chdir(tmp_path)
    return loading.load("config.yaml").study("own").variants


@pytest.fixture
def undrawn(monkeypatch):
    """Drawing takes half a second."""
    monkeypatch.setattr(compare, "_draw", lambda *_: None)


def plant(variants, folder, values=(SLOW, FAST), **changes):
    for one, accuracies in zip(variants, values, strict=True):
        for seed, accuracy in enumerate(accuracies):
            write_run(folder / "results" / "runs", one, seed, accuracy, **changes)


def table(text, first):
    """Return the rows of a table in columns by their first cell; ``first`` begins its header."""
    lines = text[text.index(f"\n{first}" if not text.startswith(first) else first) :].strip().splitlines()
    rows = [re.split(r"  +", line) for line in lines]
    end = next((i for i, row in enumerate(rows) if len(row) == 1), len(rows))
    return {row[0]: row[1:] for row in rows[1:end]}


def test_only_settings_that_differ_are_listed(own, tmp_path, undrawn, capsys):
    plant(own, tmp_path)
    assert cli.main(PAIR) == 0
    out = capsys.readouterr().out
    wanted = {"optimizer.lr": ["0.2", "0.1"], "model.dropout": ["0.1", "0.6"]}
    assert table(out, "setting") == wanted


def test_the_difference_is_paired_by_seed_with_the_interval_and_p_of_a_t_test(own, tmp_path, undrawn, capsys):
    plant(own, tmp_path)
    cli.main(PAIR)
    rows = table(capsys.readouterr().out, "test accuracy (%)")
    found = stats.ttest_rel(FAST, SLOW)
    low, high = found.confidence_interval()
    difference = f"{(low + high) / 2:+.2f} ± {(high - low) / 2:.2f}".replace("-", "−")
    half = stats.t.ppf(0.975, 2) * stats.sem(SLOW)
    means = {"last epoch": "53.00", "best validation epoch": "52.00", "best test epoch": "54.00"}
    assert rows.keys() == means.keys()
    for row, mean in means.items():
        assert rows[row][1:] == [f"{mean} ± {half:.2f}", difference, f"{found.pvalue:.2g}", "0 1 2"]


def test_diverged_and_missing_runs_are_named_and_one_common_seed_has_no_interval(
    own, tmp_path, undrawn, capsys
):
    runs = tmp_path / "results" / "runs"
    write_run(runs, own[0], 0, 50.0)
    write_run(runs, own[0], 1, 50.0)
    write_run(runs, own[1], 0, 52.0)
    write_run(runs, own[1], 1, 10.0, state="diverged")
    cli.main(PAIR)
    out = capsys.readouterr().out
    assert table(out, "test accuracy (%)")["last epoch"][2:] == ["+2.00", "–", "0"]
    assert "own/fast_1.5: diverged: seed 1" in out and "own/fast_1.5: missing: seed 2" in out
    assert "own/slow: missing: seed 2" in out and "own/slow: diverged" not in out


def test_images_that_only_one_network_classifies_correctly_are_counted_by_seed(
    own, tmp_path, undrawn, capsys
):
    plant(own[:1], tmp_path, [(50.0,)], wrong=[1, 2, 3, 4, 5, 6, 7, 8])
    plant(own[1:], tmp_path, [(51.0,)], wrong=[8, 9])
    cli.main(PAIR)
    p = stats.binomtest(1, 8).pvalue
    assert table(capsys.readouterr().out, "seed")["0"] == ["7", "1", f"{p:.2g}"]


def test_images_of_other_data_are_not_compared_and_the_data_are_named(own, tmp_path, undrawn, capsys):
    plant(own, tmp_path, [(50.0,), (51.0,)], wrong=[1])
    record = tmp_path / "results" / "runs" / own[1].spec.run / "seed0" / "run.json"
    record.write_text(record.read_text().replace('"d"', '"other"'))
    cli.main(PAIR)
    out = capsys.readouterr().out
    assert "McNemar" not in out and "**trained on different versions of digits**" in out


def test_images_of_a_shorter_test_split_are_not_compared(own, tmp_path, undrawn, capsys):
    text = CONFIG.replace("claims: claims.yaml", "").replace("slow: {", "slow: {data: {test: 100}, ")
    (tmp_path / "config.yaml").write_text(text)
    shorter = loading.load("config.yaml").study("own").variants
    plant(shorter, tmp_path, [(50.0,), (51.0,)], wrong=[1])
    cli.main(PAIR)
    assert "McNemar" not in capsys.readouterr().out


def test_another_precision_is_a_warning_and_equal_conditions_are_none(own, tmp_path, undrawn, capsys):
    plant(own[:1], tmp_path, [SLOW], precision="bf16")
    plant(own[1:], tmp_path, [FAST])
    cli.main(PAIR)
    assert "**different precisions: fp32 (own/fast_1.5); bf16 (own/slow)**" in capsys.readouterr().out
    cli.main(["compare", "own/slow", own[0].spec.run])
    assert capsys.readouterr().out.startswith("No setting differs: own/slow and digits-mlp-")


def test_a_run_of_another_configuration_is_found_by_the_beginning_of_its_name(own, tmp_path, undrawn, capsys):
    plant(own, tmp_path)
    other = variant("other", lr=0.7)
    plant([other], tmp_path, [SLOW])
    record = tmp_path / "results" / "runs" / other.spec.run
    for seed in range(3):
        path = record / f"seed{seed}" / "run.json"
        path.write_text(
            path.read_text().replace("{", f'{{"spec": {other.spec.json_text}, "seed": {seed}, ', 1)
        )
    assert cli.main(["compare", other.spec.run[:-1], "own/slow"]) == 0
    out = capsys.readouterr().out
    assert table(out, "setting") == {"optimizer.lr": ["0.7", "0.1"]}
    assert f"**different scales: unknown scale ({other.spec.run}); full scale (own/slow)**" in out


def test_a_run_has_the_seeds_of_all_studies_that_use_it(own, tmp_path):
    again = yaml.safe_load(CONFIG)["studies"]["own"] | {"seeds": [5]}
    config = loading.load("config.yaml", overrides={"studies": {"again": again}})
    assert compare.named(own[0].spec.run, config, tmp_path).seeds == (0, 1, 2, 5)


def test_copies_of_seeds_are_no_seeds(own, tmp_path, capsys):
    other = variant("other", lr=0.7)
    folder = tmp_path / "results" / "runs" / other.spec.run
    for name in ("seed0.bak", "seedX"):
        (folder / name).mkdir(parents=True)
        (folder / name / "run.json").write_text("{}")
    assert cli.main(["compare", other.spec.run, "own/slow"]) == 1
    assert "holds no finished run of a seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own/fast", "variant: unknown name 'fast'. Allowed: slow, fast_1.5. Did you mean 'fast_1.5'?"),
        ("onw/slow", "Did you mean 'own'?"),
        ("own.slow", "unknown variant or run 'own.slow'. Did you mean 'own/slow'?"),
        ("mlp-", "unknown variant or run 'mlp-'"),  # which is no beginning
        ("digits-mlp-", "'digits-mlp-' is the beginning of 2 runs: digits-mlp-"),
    ],
)
def test_an_unknown_name_gets_the_nearest_valid_one(own, capsys, name, message):
    assert cli.main(["compare", name, "own/slow"]) == 1
    assert message in capsys.readouterr().err


def test_the_curves_are_drawn_where_it_says_and_in_the_format_of_the_name(own, tmp_path, capsys):
    plant(own, tmp_path, [(50.0,), (51.0,)])
    for name, first in (("curves.pdf", b"%PDF"), ("a.b.svg", b"<?xml")):
        assert cli.main([*PAIR, "--figure", name]) == 0
        assert (tmp_path / name).read_bytes().startswith(first)
    assert cli.main([*PAIR, "--figure", "curves.gif"]) == 1
    assert "allowed: a name that ends in .png, .svg, .pdf" in capsys.readouterr().err


def test_two_variants_are_compared_without_torch(own, tmp_path):
    plant(own, tmp_path)
    code = "import sys; sys.modules['torch'] = None; from pj.cli import main; sys.exit(main())"
    run = subprocess.run([sys.executable, "-c", code, *PAIR], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    place = run.stdout.split("Learning curves: ")[1].split()[0]
    assert place == "results/comparisons/own.fast_1.5--own.slow.png"
    assert (tmp_path / place).read_bytes().startswith(b"\x89PNG")
