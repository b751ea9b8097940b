"""`pj config`: what it prints loads again to the same, and says where each value was set."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from pj import cli, config
from pj.config.loading import Config

ROOT = Path(__file__).parents[2]
CONFIG = """\
seeds: [0, 1]
precision: fp32
datasets:
  digits: {source: digits, label: small-digits, image_size: 8}
studies:
  own.1:
    title: "costs: #1, [a, b] & 'more'\\n1e-3"
    base: &base
      data: {name: digits, train: 200}
      model: {name: mlp}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.00001, momentum: 0.9}
      epochs: 4
      batch_size: 8
    variants:
      "1": {data: {train: null}}
      b: {optimizer: {name: adam, lr: 0.1}, model: {dropout: 0.25}}
  second:
    title: Second
    base:
      <<: *base
      epochs: 2
    variants: {"on": {}, "null": {title: "null"}}
"""
OVERLAY = """\
# mine
scale: {name: half, epochs: 2}
studies:
  own.1:
    variants:
      b:
        model: {dropout: null, width: 0.5}
        loss: {name: mse}
"""


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """Return what `pj config` prints, in a folder with a configuration and an overlay."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "my.yaml").write_text(OVERLAY)

    def call(*arguments):
        assert cli.main(["config", *arguments]) == 0
        return capsys.readouterr().out

    return call


def again(tmp_path, text) -> Config:
    (tmp_path / "again.yaml").write_text(text)
    return config.load("again.yaml")


@pytest.mark.parametrize("defaults", [[], ["--defaults"]])
def test_what_is_printed_loads_again_to_the_same_configuration(printed, tmp_path, defaults):
    for files in ([], ["my.yaml"]):
        text = printed(*defaults, *(f"--configfile={file}" for file in files))
        assert again(tmp_path, text) == config.load("config.yaml", *files)


@pytest.mark.parametrize("overlay", ["config.smoke.yaml", "config.quick.yaml"])
def test_the_two_reports_and_the_example_load_again_from_what_is_printed(
    overlay, tmp_path, monkeypatch, capsys
):
    for name in ("config.yaml", overlay):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["config", "--configfile", overlay]) == 0
    assert again(tmp_path, capsys.readouterr().out) == config.load("config.yaml", overlay)


def test_each_line_says_in_which_file_and_line_its_value_is(printed):
    texts = {"config.yaml": CONFIG.splitlines(), "my.yaml": OVERLAY.splitlines()}
    found = re.findall(r"^ *(\S.*)  # (\S+):(\d+)$", printed("--configfile", "my.yaml"), re.MULTILINE)
    assert len(found) > 20
    for shown, file, line in found:
        last = re.findall(r"(\w+)'?: ", shown)[-1]  # a mapping on one line begins with keys above it
        assert last in texts[file][int(line) - 1], shown
    assert {file for _, file, _ in found} == set(texts)


def test_what_the_command_line_sets_is_in_force_and_named(printed):
    text = printed("--config", "seeds=[7]", "--config", "threads=3", "--config", "device=cpu")
    assert "seeds: [7]  # command line\n" in text and "threads: 3  # command line\n" in text
    assert "threads" not in printed() and "threads: 2  # default\n" in printed("--defaults")


def test_a_variant_is_printed_with_what_the_command_line_sets(printed):
    place = "studies.own.1.variants.b"
    before, after = printed(place), printed("--config", "precision=bf16", place)
    assert "precision: bf16" not in before and "precision: bf16  # command line\n" in after


def test_a_part_is_printed_with_the_keys_above_it_as_an_overlay_would_have_it(printed):
    text = printed("--configfile=my.yaml", "studies.own.1.variants")
    assert list(yaml.safe_load(text)["studies"]) == ["own.1"]
    assert yaml.safe_load(text)["studies"]["own.1"].keys() == {"variants"}
    assert "model: {width: 0.5}  # my.yaml:7\n" in text


def test_a_variant_is_printed_with_its_base_its_scale_and_its_run(printed):
    text = printed("--configfile", "my.yaml", "studies.own.1.variants.b")
    spec = next(v.spec for v in config.load("config.yaml", "my.yaml").variants if v.name == "b")
    assert spec.json_text == type(spec).model_validate(yaml.safe_load(text)).json_text
    assert f"own.1/b: run {spec.run}, seeds 0, 1, scale half" in text
    for line in (
        "  name: small-digits  # label of datasets.digits",
        "  train: 200  # config.yaml:9",
        "  width: 0.5  # my.yaml:7",
        "  dropout: 0.6  # default",
        "loss: {name: mse}  # my.yaml:8",
        "  lr: 0.1  # config.yaml:17",
        "  betas: [0.9, 0.999]  # default",  # not the base's, whose optimizer is another
        "epochs: 2  # scale in my.yaml:2",
        "batch_size: 8  # config.yaml:14",
        "precision: fp32  # config.yaml:2",
    ):
        assert f"{line}\n" in text, line


def test_the_variants_of_a_study_are_printed_with_those_of_its_sweep(printed, tmp_path, capsys):
    sweep = "sweep: {zip: {optimizer.lr: [1.0, 2.0]}, names: 'lr{optimizer.lr}'}"
    changed = "variants: {lr2.0: {epochs: 3}, 'null': null}"
    (tmp_path / "sweep.yaml").write_text(f"studies:\n  second:\n    {sweep}\n    {changed}\n")
    text = printed("--configfile=sweep.yaml", "studies.second.variants")
    variants = yaml.safe_load(text)["studies"]["second"]["variants"]
    assert variants == {
        "on": {},
        "lr1.0": {"optimizer": {"lr": 1.0}},
        "lr2.0": {"optimizer": {"lr": 2.0}, "epochs": 3},
    }
    assert "lr1.0: {optimizer: {lr: 1.0}}  # sweep.yaml:3\n" in text
    assert "        epochs: 3  # sweep.yaml:4\n" in text
    assert text == printed("--defaults", "--configfile=sweep.yaml", "studies.second.variants")
    assert cli.main(["config", "--configfile=sweep.yaml", "studies.second.variants.lr3.0"]) == 1
    assert "Allowed: on, lr1.0, lr2.0. Did you mean 'lr" in capsys.readouterr().err


def test_an_unknown_key_is_one_message_with_the_nearest(printed, capsys):
    assert cli.main(["config", "studies.own.1.vriants"]) == 1
    assert "studies.own.1.vriants: unknown name 'vriants'" in (error := capsys.readouterr().err)
    assert "Did you mean 'variants'?" in error
