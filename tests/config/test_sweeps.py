"""Sweeps make ordinary variants of readable names and exact values; what makes no sense is one message."""

import re
from pathlib import Path

import pytest
import yaml

from pj.config import of_settings
from pj.config.loading import ConfigError, load

ROOT = Path(__file__).parents[2]
BASE = {
    "data": {"name": "digits"},
    "model": {"name": "mlp"},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
    "epochs": 2,
    "batch_size": 10,
}
DROPOUT = "sweep: {model.dropout: [0.1, 0.2]}"


def loaded(tmp_path, text, *overlays, **base):
    """Return the configuration of one study s with these keys, and overlays of it."""
    study = {"title": "t", "base": BASE | base} | yaml.safe_load(text)
    whole = {"standalone": True, "seeds": [0], "datasets": {"digits": {"source": "digits"}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(whole | {"studies": {"s": study}}, sort_keys=False))
    for i, overlay in enumerate(overlays):
        (tmp_path / f"{i}.yaml").write_text(f"studies: {{s: {{{overlay}}}}}")
    return load(tmp_path / "config.yaml", *(tmp_path / f"{i}.yaml" for i in range(len(overlays))))


def names(config):
    return [variant.name for variant in config.study("s").variants]


def values(config, key):
    part, _, option = key.partition(".")
    found = [getattr(variant.spec, part) for variant in config.variants]
    return [getattr(value, option) for value in found] if option else found


@pytest.mark.parametrize(
    ("key", "written", "wanted"),
    [
        ("model.dropout", "{from: 0.1, to: 0.9, step: 0.1}", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ("model.dropout", "{from: 0.1, to: 0.75, step: 0.3}", [0.1, 0.4, 0.7]),
        ("model.dropout", "{from: 0.0, to: 0.5, count: 4}", [0.0, 0.167, 0.333, 0.5]),
        # a middle of six digits, and one of seven, which is rounded
        ("model.dropout", "{from: 0.0, to: 0.0078125, count: 3}", [0.0, 0.00390625, 0.0078125]),
        ("model.dropout", "{from: 0.0, to: 0.00390625, count: 3}", [0.0, 0.00195, 0.00390625]),
        ("optimizer.lr", "{from: 1e-4, to: 1e-1, count: 4, log: true}", [0.0001, 0.001, 0.01, 0.1]),
        ("optimizer.lr", "{from: 1e-3, to: 0.1, count: 5, log: true}", [0.001, 0.00316, 0.01, 0.0316, 0.1]),
        ("batch_size", "{from: 16, to: 1024, count: 7, log: true}", [16, 32, 64, 128, 256, 512, 1024]),
        ("batch_size", "[1e1, 20]", [10, 20]),
    ],
)
def test_values_are_the_decimals_that_a_person_would_write(key, written, wanted, tmp_path):
    assert values(loaded(tmp_path, f"sweep: {{{key}: {written}}}"), key) == wanted


@pytest.mark.parametrize(
    ("sweep", "wanted"),
    [
        ("model.dropout: [0.0, 0.30]", "dropout_0.0 dropout_0.3"),
        ("optimizer.lr: [1e-1, 0.01, 1.0e-5]", "lr_1e-1 lr_0.01 lr_1e-5"),
        ("model.batch_norm: [true, false]", "batch_norm_true batch_norm_false"),
        ("model.name: [mlp, cnn], data.name: [digits]", "model_mlp-data_digits model_cnn-data_digits"),
        (
            "optimizer.lr: [0.1, 0.2], batch_size: [5, 6]",
            "lr_0.1-batch_size_5 lr_0.1-batch_size_6 lr_0.2-batch_size_5 lr_0.2-batch_size_6",
        ),
        (
            "zip: {optimizer.lr: [0.1, 0.2], batch_size: [5, 6]}, epochs: [1, 2]",
            "lr_0.1-batch_size_5-epochs_1 lr_0.1-batch_size_5-epochs_2 "
            "lr_0.2-batch_size_6-epochs_1 lr_0.2-batch_size_6-epochs_2",
        ),
        ('model.dropout: [0.1, 0.2], names: "p{model.dropout}"', "p0.1 p0.2"),
        (
            "optimizer.lr: {from: 1e-5, to: 1e-1, count: 5, log: true}",
            "lr_1e-5 lr_1e-4 lr_1e-3 lr_1e-2 lr_1e-1",
        ),
        (
            "optimizer.weight_decay: {from: 0, to: 1e-4, step: 5e-5}",
            "weight_decay_0 weight_decay_5e-5 weight_decay_1e-4",
        ),
        ("optimizer.lr: {from: 1e-4, to: 1e-3, count: 3, log: true}", "lr_0.0001 lr_0.000316 lr_0.001"),
    ],
)
def test_variants_are_named_by_the_last_part_of_keys_and_the_values(sweep, wanted, tmp_path):
    assert names(loaded(tmp_path, f"sweep: {{{sweep}}}")) == wanted.split()


def test_keys_with_the_same_last_part_are_named_by_more_of_it(tmp_path):
    sweep = "sweep: {data.train: [100], probe.every: [5], schedule.every: [1]}"
    config = loaded(tmp_path, sweep, schedule={"name": "step", "every": 2, "gamma": 0.5})
    assert names(config) == ["train_100-probe.every_5-schedule.every_1"]


def test_a_swept_variant_is_the_run_of_the_same_variant_written_by_hand(tmp_path):
    swept = loaded(tmp_path, "sweep: {model.dropout: {from: 0.2, to: 0.3, step: 0.1}, optimizer.lr: [1e-2]}")
    hand = loaded(
        tmp_path,
        """variants:
  a: {model: {dropout: 0.2}, optimizer: {lr: 0.01}}
  b: {model: {dropout: 0.3}, optimizer: {lr: 0.01}}""",
    )
    assert list(swept.runs()) == list(hand.runs())


def test_a_variant_under_a_swept_name_adds_to_it_and_others_come_first(tmp_path):
    text = f"""{DROPOUT}
reference: dropout_0.2
variants:
  dropout_0.2: {{title: "Srivastava's", reported: {{accuracy: 90.0}}, batch_size: 20}}
  without: {{model: {{dropout: 0.0}}}}"""
    config = loaded(tmp_path, text)
    assert names(config) == ["without", "dropout_0.1", "dropout_0.2"]
    assert values(config, "model.dropout") == [0.0, 0.1, 0.2]
    assert values(config, "batch_size") == [10, 10, 20]
    assert [v.title for v in config.variants] == ["without", "dropout_0.1", "Srivastava's"]
    assert [v.reported.accuracy for v in config.variants] == [None, None, 90.0]


def test_titles_are_made_as_names_are(tmp_path):
    config = loaded(tmp_path, 'sweep: {titles: "dropout of {model.dropout}", model.dropout: [0.1, 0.2]}')
    assert [v.title for v in config.variants] == ["dropout of 0.1", "dropout of 0.2"]


@pytest.mark.parametrize(
    ("overlay", "wanted"),
    [
        ("sweep: {model.dropout: [0.5]}", "dropout_0.5"),
        ("sweep: {model.dropout: {from: 0.5, to: 0.6, step: 0.1}}", "dropout_0.5 dropout_0.6"),
        ("sweep: {model.dropout: null, batch_size: [5, 6]}", "batch_size_5 batch_size_6"),
        ("sweep: {epochs: [1]}", "dropout_0.1-epochs_1 dropout_0.2-epochs_1"),
        ("sweep: null, variants: {own: {}}", "own"),
        ("variants: {dropout_0.1: null}", "dropout_0.2"),
    ],
)
def test_an_overlay_changes_replaces_or_removes_a_sweep(overlay, wanted, tmp_path):
    assert names(loaded(tmp_path, DROPOUT, overlay)) == wanted.split()


def test_saved_settings_load_again_as_the_same_variants(tmp_path):
    text = f"{DROPOUT}\nvariants: {{dropout_0.2: {{title: Two}}, own: {{}}}}"
    config = loaded(tmp_path, text, "sweep: {model.dropout: [0.1, 0.2, 0.3]}, variants: {dropout_0.3: null}")
    again = of_settings(config.settings.model_dump(mode="json", exclude_none=True))
    assert names(config) == ["own", "dropout_0.1", "dropout_0.2"]
    assert again.variants == config.variants and again.study("s") == config.study("s")


LISTED = "0.1 is listed twice; list each once"
FAULTS = {
    "sweep: {model.droput: [0.1, 0.2]}": "sweep.model.droput: unknown key 'droput'. .*mean 'dropout'",
    "sweep: {modle.dropout: [0.1, 0.2]}": "sweep.modle: unknown key 'modle'. .*Did you mean 'model'",
    "sweep: {model.dropout: [0.1, 1.2]}": "sweep.model.dropout: 1.2; allowed: less than 1",
    "sweep: {data.name: [digits, digts]}": "sweep.data.name: unknown name 'digts'.*mean 'digits'",
    "sweep: {title: [a]}": "sweep.title: unknown key 'title'",
    "sweep: {model.dropout: []}": "sweep.model.dropout: is an empty list",
    "sweep: {model.dropout: 0.1}": "sweep.model.dropout: 0.1; allowed: a list of values, or a range",
    "sweep: {model.dropout: [[0.1]]}": r"sweep.model.dropout: \[0.1\]; allowed: numbers, texts, true",
    "sweep: {model.dropout: [.nan]}": "sweep.model.dropout: nan; allowed: a finite number",
    "sweep: {model.dropout: [0.1, 0.10]}": f"sweep.model.dropout: {LISTED}",
    "sweep: {model.dropout: [1e-1, 0.1]}": f"sweep.model.dropout: {LISTED}",
    "sweep: {zip: {model.dropout: [0.1, 0.1], optimizer.lr: [1, 1.0]}}": "sweep.zip: 0.1, 1 is listed twice",
    "sweep: {zip: {model.dropout: [0.1, 0.2], batch_size: [5]}}": "sweep.zip: 2 of model.dropout, 1 of batch",
    "sweep: {zip: {batch_size: [1, 2]}, batch_size: [3]}": "sweep.zip.batch_size: is swept twice",
    "sweep: {zip: [1]}": r"sweep.zip: \[1\]; allowed: a mapping",
    "sweep: {model: [mlp], model.dropout: [0.1]}": "sweep.model: model.dropout is part of it",
    "sweep: {names: d, model.dropout: [0.1, 0.2]}": "sweep.names: 2 variants have the name 'd'",
    "sweep: {names: '{model.dropot}', model.dropout: [0.1]}": "sweep.names: unknown name.*'model.dropout'",
    "sweep: {names: 'd {model.dropout}', model.dropout: [0.1]}": "sweep.names: 'd 0.1' is not a name",
    "sweep: {batch_size: {from: 1, to: 1001, step: 1}}": "sweep.batch_size: has 1,001 values; allowed:",
    "sweep: {batch_size: {from: 1, to: 40, step: 1}, epochs: {from: 1, to: 26, step: 1}}": "sweep: makes 1,0",
    "sweep: {epochs: {from: 1, to: 1e300, step: 1e-300}}": "sweep.epochs: has .* values; allowed:",
    "sweep: {epochs: {from: 5, to: 1, step: 1}}": "sweep.epochs: from 5 to 1; allowed: to above from",
    "sweep: {epochs: {from: 1, to: 5}}": "sweep.epochs: needs step or count",
    "sweep: {optimizer.lr: {from: 0, to: 1, count: 3, log: true}}": "sweep.optimizer.lr: log: true needs",
    "sweep: {epochs: {from: 1, to: 5, stp: 1}}": "sweep.epochs.stp: unknown key 'stp'.*Did you mean 'step'",
    "sweep: {}": "sweep: sweeps no key",
    "sweep: [1]": r"sweep: \[1\]; allowed: a mapping",
    f"{DROPOUT}\nvariants: {{dropout_0.1: {{model: {{dropout: 0.1}}}}}}": "variants.dropout_0.1.model.drop",
    f"{DROPOUT}\nreference: dropout_0.3": "reference: unknown name 'dropout_0.3'",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_sweep_that_makes_no_sense_is_one_message(text, tmp_path):
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text)
    (fault,) = error.value.faults
    assert re.match(rf"studies\.s\.{FAULTS[text]}", fault), fault


def test_a_faulty_sweep_hides_no_other_fault_and_adds_none(tmp_path):
    text = "sweep: {model.dropout: []}\nreference: dropout_0.1\nreprot: x"
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text)
    assert [fault.split(":")[0] for fault in error.value.faults] == [
        "studies.s.sweep.model.dropout",
        "studies.s.reprot",
    ]
    with pytest.raises(ConfigError) as error:  # the base by itself has no learning rate
        loaded(tmp_path, "sweep: {optimizer.lr: []}\nreference: lr_0.1", optimizer={"name": "sgd"})
    assert len(error.value.faults) == 1


@pytest.mark.parametrize(
    ("sweep", "log"),
    [
        ("model.dropout: [0.1, 0.2]", False),
        ("optimizer.lr: [0.01, 0.3]", False),
        ("optimizer.lr: [0.01, 0.31]", True),
        ("optimizer.lr: {from: 0.1, to: 0.4, count: 3, log: true}", True),
        ("optimizer.momentum: [0.0, 0.9]", False),
        ("zip: {batch_size: [5, 6]}", False),
    ],
)
def test_a_sweep_of_one_number_has_a_figure_with_the_axis_of_its_spread(sweep, log, tmp_path):
    config = loaded(tmp_path, f"sweep: {{{sweep}}}")
    swept = config.study("s").swept
    assert swept.log is log and list(swept.variants) == names(config)


@pytest.mark.parametrize("sweep", ["model.dropout: [0.1]", "model.batch_norm: [true, false]"])
def test_other_sweeps_have_no_figure(sweep, tmp_path):
    assert loaded(tmp_path, f"sweep: {{{sweep}}}").study("s").swept is None
    two = loaded(tmp_path, "sweep: {model.dropout: [0.1, 0.2], epochs: [1, 2]}")
    assert two.study("s").swept is None


def test_the_example_of_the_how_to_page_works(tmp_path):
    page = (ROOT / "docs/how-to/add-a-study.md").read_text()
    (tmp_path / "sweep.yaml").write_text(re.search(r"```yaml\n(# sweep.yaml.*?)```", page, re.DOTALL)[1])
    study = load(ROOT / "config.quick.yaml", tmp_path / "sweep.yaml").study("rates")
    assert [v.name for v in study.variants] == [f"dropout_{p}" for p in ("0.0", "0.2", "0.4", "0.6")]
    assert study.variants[1].reported.accuracy == 96.1 and study.swept
