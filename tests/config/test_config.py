import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pj import losses, models, optim
from pj.config import yaml_files
from pj.config.loading import ConfigError, load
from pj.config.spec import RunSpec
from pj.report.text.labels import study_label

ROOT = Path(__file__).parents[2]
FULL, SMOKE, QUICK = (ROOT / name for name in ("config.yaml", "config.smoke.yaml", "config.quick.yaml"))

# The studies that train a network by themselves, with how many rows each has.
ROWS = {
    "architecture": 6,
    "loss": 7,
    "activation": 5,
    "optimizer": 5,
    "final": 10,
    "mlp_cnn": 2,
    "ablation_mlp": 4,
    "ablation_cnn": 4,
    "dropout2d": 2,
    "dropout_rate_mlp": 10,
    "dropout_rate_cnn": 10,
    "batch_size_mlp": 4,
    "batch_size_cnn": 4,
    "residual": 2,
    "nll_steps": 2,
    "mse_rates": 3,
    "sigmoid_rates": 3,
    "elu_rates": 3,
    "optimizer_rates": 11,
    "batch_norm_batch_size": 4,
    "batch_norm_landscape": 12,
    "batch_norm_predictiveness": 8,
    "batch_norm_ics": 8,
    "batch_norm_smoothness": 4,
    "dessilbi_lenet": 5,
    "weight_decay_lenet": 4,
    "dessilbi_vgg": 4,
}


def overlay(tmp_path, text):
    path = tmp_path / "overlay.yaml"
    path.write_text(text)
    return path


def faults(tmp_path, text):
    with pytest.raises(ConfigError) as error:
        load(FULL, overlay(tmp_path, text))
    return error.value.faults


def variant(config, study, name):
    return next(v for v in config.study(study).variants if v.name == name)


def test_the_full_configuration_holds_every_study():
    config = load(FULL)
    assert {name: len(config.study(name).variants) for name in config.settings.studies} == ROWS
    assert all(not v.scale.reductions and v.spec.data.name in ("cifar10", "mnist") for v in config.variants)


def test_the_smoke_configuration_has_every_study_one_seed_and_says_so():
    config = load(FULL, SMOKE)
    assert list(config.settings.studies) == list(ROWS)
    assert {v.seeds for v in config.variants} == {(0,)}
    assert all(
        study_label(config.study(name)).startswith(("digits32, smoke", "digits28, smoke")) for name in ROWS
    )


def test_a_standalone_file_replaces_config_yaml_and_can_be_overlaid_itself(tmp_path):
    (tmp_path / "more.yaml").write_text("seeds: [7]")
    quick = load(FULL, QUICK)
    assert quick == load(QUICK) and set(quick.settings.studies) == {
        "parts",
        "dropout",
        "training",
        "smoothness",
        "sparsity",
    }
    assert load(FULL, QUICK, tmp_path / "more.yaml").settings.seeds == [7]
    (tmp_path / "faulty.yaml").write_text("seds: [0]")
    assert load(tmp_path / "faulty.yaml", QUICK) == quick  # what is replaced is not judged


def test_the_quick_configuration_is_at_full_scale_with_five_seeds_and_uses_every_feature():
    """A reduced scale, or one seed, would leave its claims without verdicts."""
    quick = load(QUICK)
    assert all(len(variant.seeds) == 5 and variant.scale.name == "full" for variant in quick.variants)
    assert quick.settings.prunings and quick.settings.landscapes and quick.settings.interpretations
    specs = [variant.spec for variant in quick.variants]
    assert {"sgd", "adam", "sam", "dessilbi"} <= {spec.optimizer.name for spec in specs}
    assert any(spec.data.cutmix for spec in specs) and any(spec.probe for spec in specs)
    assert any(study.path for study in quick.settings.studies.values())


@pytest.mark.parametrize(
    ("study", "name", "path", "value"),
    [
        ("architecture", "wide_resnet", "optimizer.lr", 0.1),
        ("architecture", "convnet", "epochs", 20),
        ("architecture", "convnet", "data.crop", 4),
        ("loss", "cross_entropy_smoothed", "loss.label_smoothing", 1 / 9),
        ("activation", "tanh", "optimizer.lr", 0.001),
        ("activation", "tanh", "model.name", "convnet"),
        ("optimizer", "sgd", "optimizer.momentum", 0.0),
        ("optimizer", "sam", "optimizer.rho", 0.5),
        ("optimizer", "sam", "optimizer.adaptive", True),
        ("optimizer", "adam", "optimizer.weight_decay", 5e-4),
        ("final", "wrn_16_8", "model.depth", 16),
        ("final", "wrn_16_8", "data.cutmix.adjust_lambda", True),
        ("final", "wrn_16_8", "schedule.name", "cosine"),
        ("final", "wrn_16_8", "optimizer.rho", 0.5),
        ("final", "wrn_16_8", "epochs", 200),
        ("final", "wrn_22_8_as_reported", "model.depth", 22),
        ("final", "wrn_22_8_as_reported", "data.cutmix.adjust_lambda", False),
        ("final", "wrn_22_8_as_reported", "optimizer.eta", 0.0),
        ("final", "wrn_22_8_rho_2", "optimizer.rho", 2.0),
        ("final", "without_sam", "optimizer.name", "sgd"),
        ("final", "without_cutmix", "data.cutmix", None),
        ("final", "without_cutmix", "data.crop", 4),
        ("final", "without_smoothing", "loss.smoothing", 0.0),
        ("final", "without_cosine", "schedule.name", "constant"),
        ("final", "sgd_twice_the_epochs", "epochs", 400),
        ("mlp_cnn", "mlp", "optimizer.weight_decay", 1e-3),
        ("mlp_cnn", "cnn", "optimizer.weight_decay", 1e-5),
        ("mlp_cnn", "cnn", "select", "best_validation"),
        ("mlp_cnn", "cnn", "data.train", 40_000),
        ("ablation_cnn", "without_both", "model.batch_norm", False),
        ("ablation_cnn", "without_both", "model.dropout", 0.0),
        ("batch_size_mlp", "batch_5", "batch_size", 5),
    ],
)
def test_a_variant_is_its_base_with_some_keys_changed(study, name, path, value):
    found = variant(load(FULL), study, name).spec.model_dump()
    for key in path.split("."):
        found = found[key]
    assert found == value


# The reports' printed numbers, typed from the reports and not from config.yaml.
@pytest.mark.parametrize(
    ("study", "name", "numbers"),
    [
        ("architecture", "full_convnet", {"accuracy": 80.09, "seconds": 1654.24}),
        ("loss", "mse", {"accuracy": 23.26}),
        ("activation", "sigmoid", {"accuracy": 21.74}),
        ("optimizer", "sam", {"accuracy": 85.17, "seconds": 555.70}),
        ("mlp_cnn", "mlp", {"train": 80.33, "validation": 57.23, "test": 56.09, "parameters_millions": 3.16}),
        ("ablation_mlp", "without_dropout", {"difference": -2.21}),
        ("ablation_cnn", "without_dropout", {"difference": 1.48}),
    ],
)
def test_the_reports_numbers_stand_beside_the_variants(study, name, numbers):
    assert variant(load(FULL), study, name).reported.model_dump(exclude_none=True) == numbers


def test_variants_with_equal_specifications_share_one_run():
    config = load(FULL)
    runs = config.runs()
    shared = runs[variant(config, "architecture", "resnet9").spec.run]
    assert shared.serves == (
        ("architecture", "resnet9"),
        ("loss", "cross_entropy"),
        ("residual", "resnet9"),
        ("optimizer_rates", "momentum_1e-1"),
    )
    assert len(runs) < len(config.variants)


def test_a_shared_run_has_the_seeds_of_every_study_that_asks_for_it(tmp_path):
    config = load(FULL, overlay(tmp_path, "studies: {loss: {seeds: [7, 1]}, residual: {seeds: [9]}}"))
    shared = variant(config, "loss", "cross_entropy").spec.run
    assert shared == variant(config, "residual", "resnet9").spec.run
    assert config.runs()[shared].seeds == tuple(sorted({7, 1, 9, *config.settings.seeds}))


def test_a_run_is_named_by_what_it_is(tmp_path):
    before = load(FULL)
    text = "studies: {loss: {base: {optimizer: {lr: 0.05}}}}"
    after = load(FULL, overlay(tmp_path, text))
    one = [variant(c, "loss", "mse").spec.run for c in (before, after)]
    assert one[0] != one[1]
    assert re.fullmatch(r"cifar10-resnet9-[0-9a-f]{8}", one[0])
    untouched = [variant(c, "activation", "tanh").spec.run for c in (before, after)]
    assert untouched[0] == untouched[1]
    assert variant(load(FULL), "loss", "mse").spec.run == one[0]  # going back finds the old one


def test_a_specification_survives_its_json():
    for v in load(FULL).variants:
        assert RunSpec.from_json(v.spec.json_text) == v.spec
        assert RunSpec.from_json(v.spec.json_text).run == v.spec.run


def test_every_component_of_a_specification_can_be_made():
    """The names that a configuration may use are the names of the registries."""
    for registry, part in ((models, "model"), (losses, "loss"), (optim, "optimizer")):
        with pytest.raises(ConfigError) as error:
            load(FULL, overrides={"studies": {"loss": {"base": {part: {"name": "nonsense"}}}}})
        allowed = re.search(r"Allowed: ([\w, ]+)", error.value.faults[0]).group(1)
        assert sorted(allowed.split(", ")) == sorted(registry.REGISTRY)


def test_a_study_may_override_seeds_and_scale(tmp_path):
    text = "studies: {loss: {seeds: [7, 8], scale: {name: small, epochs: 3, train: 512, width: 0.5}}}"
    config = load(FULL, overlay(tmp_path, text))
    v = variant(config, "loss", "mse")
    assert (v.seeds, v.spec.epochs, v.spec.data.train, v.spec.model.width) == ((7, 8), 3, 512, 0.5)
    assert study_label(config.study("loss")) == "cifar10, small scale (epochs 3, train 512, width 0.5)"
    assert study_label(config.study("activation")) == "cifar10, full scale"


@pytest.mark.parametrize(
    "reduced", ["scale: {name: s, epochs: 1}", "studies: {loss: {scale: {name: s, epochs: 1}}}"]
)
def test_at_full_scale_nothing_is_reduced_wherever_a_scale_was_set(reduced, tmp_path):
    config = load(FULL, overlay(tmp_path, reduced))
    full = load(FULL)
    assert config.runs().keys() != full.runs().keys() == config.at_full_scale.runs().keys()


def test_a_scale_that_does_not_fit_is_named_where_it_was_written(tmp_path):
    """A batch of 128 images does not fit into 100; only one study's own scale asks for so few."""
    (fault,) = faults(tmp_path, "studies: {mlp_cnn: {scale: {name: s, train: 2}, variants: {cnn: null}}}")
    assert fault.startswith("studies.mlp_cnn.scale of mlp_cnn/mlp: batch_size ")


def test_a_scale_only_ever_takes_away(tmp_path):
    v = variant(load(FULL, overlay(tmp_path, "scale: {name: half, epochs: 50, train: 45000}")), "loss", "mse")
    assert (v.spec.epochs, v.spec.data.train) == (20, 45_000)
    v = variant(
        load(FULL, overlay(tmp_path, "scale: {name: half, epochs: 50, train: 45000}")), "mlp_cnn", "cnn"
    )
    assert (v.spec.epochs, v.spec.data.train) == (50, 40_000)


@pytest.mark.parametrize(("epochs", "wanted"), [(5, (5, 10)), (300, (200, 400))])
def test_a_control_of_twice_the_epochs_has_twice_as_many_at_every_scale(epochs, wanted, tmp_path):
    config = load(FULL, overlay(tmp_path, f"scale: {{name: short, epochs: {epochs}}}"))
    names = ("without_sam", "sgd_twice_the_epochs")
    assert tuple(variant(config, "final", name).spec.epochs for name in names) == wanted


def test_what_compiles_is_a_run_of_its_own_and_false_is_absence(tmp_path):
    compiled, switched_off = (
        variant(
            load(FULL, overlay(tmp_path, f"studies: {{loss: {{base: {{compile: {value}}}}}}}")), "loss", "mse"
        )
        for value in ("true", "false")
    )
    assert switched_off.spec.run == variant(load(FULL), "loss", "mse").spec.run != compiled.spec.run


def test_a_step_schedule_shrinks_with_the_epochs(tmp_path):
    text = """
studies:
  loss:
    base: {epochs: 60, schedule: {name: step, every: 20}}
    scale: {name: small, epochs: 6}
"""
    assert variant(load(FULL, overlay(tmp_path, text)), "loss", "mse").spec.schedule.every == 2


def test_a_warm_up_shrinks_with_the_epochs_and_a_test_split_never_grows(tmp_path):
    text = """
studies:
  loss:
    base: {epochs: 60, schedule: {name: cosine, warmup: 6.0}, data: {test: 500}}
    scale: {name: small, epochs: 6, test: 800}
"""
    spec = variant(load(FULL, overlay(tmp_path, text)), "loss", "mse").spec
    assert (spec.schedule.warmup, spec.data.test) == (pytest.approx(0.6), 500)


def test_a_milestone_lies_within_the_epochs_that_a_warm_up_leaves(tmp_path):
    schedule = "schedule: {name: multi_step, milestones: [8.0], warmup: 2.0}"
    found = faults(tmp_path, f"studies: {{loss: {{base: {{epochs: 10, {schedule}}}}}}}")
    assert any("schedule.milestones: 8; allowed: less than the 10 epochs" in fault for fault in found)


def test_overlays_and_nested_command_line_overrides_are_laid_on_in_order(tmp_path):
    file = overlay(tmp_path, "seeds: [1]\nstudies: {loss: {base: {epochs: 5, batch_size: 64}}}")
    given = {"seeds": ["3"], "studies": {"loss": {"base": {"epochs": "7", "optimizer": {"lr": "1e-2"}}}}}
    v = variant(load(FULL, file, overrides=given), "loss", "mse")
    assert (v.seeds, v.spec.epochs, v.spec.batch_size, v.spec.optimizer.lr) == ((3,), 7, 64, 0.01)


def test_naming_another_component_replaces_the_whole_of_it():
    merged = yaml_files.merge({"name": "sgd", "lr": 0.1, "momentum": 0.9}, {"name": "adam", "lr": 0.01})
    assert merged == {"name": "adam", "lr": 0.01}
    assert yaml_files.merge({"name": "sgd", "lr": 0.1}, {"lr": 1.0}) == {"name": "sgd", "lr": 1.0}


def test_all_faults_are_reported_at_once_with_path_allowed_and_nearest(tmp_path):
    found = faults(
        tmp_path,
        """
seeds: [0, 0.5]
sede: 1
precision: fp16
datasets: {cifar10: {source: torchvison}}
studies:
  loss:
    base: {optimizer: {lr: 1e-3, momentm: 0.9}}
    variants:
      mse: {loss: {name: mes}, batch_size: 0}
      nll: {model: {widht: 2}}
      nll: {epochs: .nan}
      kl_div: {reported: {acuracy: 3}}
  mlp_cnn: {reference: mpl, colour: 1}
  activation: {reference: rely}
""",
    )
    text = "\n".join(found)
    for fault in [
        r"line 12: the key 'nll' is given twice",
        r"seeds\.1: 0\.5; allowed: a valid integer",
        r"sede: unknown key 'sede'. Allowed: .*Did you mean 'seeds'",
        r"precision: unknown value 'fp16'. Allowed: auto, fp32, bf16",
        r"datasets\.cifar10\.source: unknown value 'torchvison'\. .*Did you mean 'torchvision'",
        r"studies\.loss\.base\.optimizer\.lr: '1e-3' is text in YAML; write 0\.001",
        r"studies\.loss\.base\.optimizer\.momentm: unknown key 'momentm'. Allowed: .*Did you mean 'momentum'",
        r"studies\.loss\.variants\.mse\.loss\.name: unknown value 'mes'. Allowed: .*Did you mean 'mse'",
        r"studies\.loss\.variants\.mse\.batch_size: 0; allowed: greater than or equal to 1",
        r"studies\.loss\.variants\.nll\.epochs: nan",
        r"studies\.loss\.variants\.kl_div\.reported\.acuracy: unknown key 'acuracy'.*Did you mean 'accuracy'",
        r"studies\.mlp_cnn\.colour: unknown key 'colour'",
        r"studies\.activation\.reference: unknown name 'rely'\. .*Did you mean 'relu'",
    ]:
        assert re.search(fault, text), fault
    assert text.count("momentm: unknown key") == 1  # a fault in the base is reported once


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("studies: {loss: {base: {optimizer: {lr: .nan}}}}", "lr: nan; allowed: a finite number"),
        ("studies: {loss: {base: {optimizer: {lr: -0.1}}}}", r"lr: -0.1; allowed: greater than 0"),
        ("studies: {loss: {base: {epochs: 2.5}}}", "epochs: 2.5"),
        ("studies: {loss: {base: {epochs: true}}}", "epochs: True"),
        ("studies: {loss: {base: {data: {flip: 'yes'}}}}", "flip: 'yes'"),
        ("studies: {activation: {base: {model: {dropout: 1.0}}}}", "dropout: 1.0; allowed: less than 1"),
        ("studies: {loss: {base: {data: {name: cifar100}}}}", "'cifar100'.*Did you mean 'cifar10'"),
        ("studies: {mlp_cnn: {base: {batch_size: 1}}}", "batch_size 1 leaves batch norm one image"),
        ("studies: {loss: {base: {select: best_validation}}}", "needs data.validation > 0"),
        ("studies: {loss: {base: {data: {train: 100}}}}", "batch_size 128 is larger than the 100"),
        (
            "studies: {architecture: {variants: {wide_resnet: {model: {depth: 17}}}}}",
            "model.depth: 17; allowed: 10, 16, 22, 28, …",
        ),
        ("studies: {loss: {base: {data: {mean: [0.5]}}}}", "mean and std must be given together"),
        ("studies: {loss: {variants: {}, base: {model: 3}}}", "model: 3; allowed: a mapping of keys"),
        ("studies: {loss: {scale: tiny}}", r"studies\.loss\.scale: 'tiny'; allowed: a mapping of keys"),
        ("studies: [loss]", r"studies: \['loss'\]; allowed: a mapping of keys"),
        (
            "studies: {final: {base: {loss: {name: nll}}}}",
            "mixes labels, which the loss nll does not accept; allowed: any",
        ),
        (
            "studies: {final: {base: {data: {cutmix: {alpha: 0.0}}}}}",
            r"final\.base\.data\.cutmix\.alpha: 0.0; allowed: greater than 0",
        ),
        ("studies: {final: {base: {data: {cutmix: {alpa: 1.0}}}}}", "Did you mean 'alpha'"),
        (
            "studies: {final: {base: {optimizer: {rho: -0.1}}}}",
            r"optimizer\.rho: -0.1; allowed: greater than or equal to 0",
        ),
        ("max_seconds: 0", "max_seconds: 0; allowed: greater than or equal to 1"),
        ("device: gpu", "device: 'gpu'; allowed: auto, cpu, cuda"),
        (
            "studies: {mlp_cnn: {base: {data: {name: cifar}}}}",
            r"mlp_cnn\.base\.data\.name: unknown name 'cifar'. Allowed: cifar10",
        ),
        ("scale: {epochs: 1}", r"^scale: reduces epochs but is named 'full'; give it another name"),
        (
            "scale: {name: tiny, train: 100}",
            r"^scale of loss/mse: batch_size 128",
        ),
        ("studies: {loss: {base: {epochs: 1e2}}}", "'1e2' is text in YAML; write 100$"),
        ("seeds: [0]\n[1, 2]: 3", "line 2: a key is a sequence"),
        ('seeds: "\x07"', "is not valid YAML"),
        ("seeds: []", "seeds"),
        ("seeds: [-1]", r"seeds\.0: -1"),
        ("scale: {name: x, width: 0}", r"scale\.width: 0"),
        ("[1, 2]", "allowed: a mapping"),
        ("a: [", "is not valid YAML"),
        ("seeds: [0]\na: @x", "is not valid YAML: .*character '@'.*line 2, column 4"),
    ],
)
def test_a_fault_is_reported_with_its_path(tmp_path, text, message):
    assert re.search(message, "\n".join(faults(tmp_path, text)), re.MULTILINE)


def test_an_overlay_removes_what_it_sets_to_null(tmp_path):
    before = load(FULL)
    text = "studies: {final: null, loss: {variants: {mse: null}}}\ninterpretations: null\n"
    after = load(FULL, overlay(tmp_path, f"{text}prunings: {{vgg_conv3: null}}\n"))
    assert before.settings.studies.keys() - after.settings.studies.keys() == {"final"}
    names = [[v.name for v in config.study("loss").variants] for config in (before, after)]
    assert [name for name in names[0] if name not in names[1]] == ["mse"]
    assert before.analyses("prunings").keys() - after.analyses("prunings").keys() == {"vgg_conv3"}


def test_a_seed_that_is_listed_twice_is_refused(tmp_path):
    assert "seeds: 3 is listed twice; list each once" in faults(tmp_path, "seeds: [0, 3, 3]")


def test_a_fault_of_a_hundred_variants_is_one_line_with_their_number(tmp_path):
    with pytest.raises(ConfigError) as error:
        load(FULL, overlay(tmp_path, "scale: {name: s, train: 80}"))
    assert len(error.value.faults) > 50
    lines = str(error.value).splitlines()
    assert len(lines) < 25 and any(
        re.search(r"^  scale of \S+/\S+, .* and \d+ more: batch_size", x) for x in lines
    )
    assert re.match(r"\d+ faults in the configuration:", lines[0])


def test_two_datasets_cannot_share_a_label_unless_they_are_the_same(tmp_path):
    text = "datasets: {mnist: {source: digits, label: cifar10}}"
    assert "already names datasets.cifar10" in faults(tmp_path, text)[0]


@pytest.mark.parametrize("place", ["/dev/zero", "."])
def test_what_is_no_file_is_refused_before_it_is_read(place):
    with pytest.raises(ConfigError, match=r"is not a YAML file of at most 16 MB"):
        load(FULL, place)


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "note.yaml").touch()
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file. Did you mean '.*note\.yaml'"):
        load(FULL, tmp_path / "none.yaml")


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
names = st.sampled_from(["seeds", "studies", "loss", "base", "model", "name", "lr", "x"])
trees = st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=4), max_leaves=12)


@settings(max_examples=30)
@given(trees)
def test_no_overlay_whatever_gets_past_as_anything_but_a_config_or_faults(tree):
    try:
        load(FULL, overrides={"studies": {"loss": tree}})
    except ConfigError as error:
        assert error.faults


@given(trees, trees)
def test_merging_an_overlay_twice_changes_nothing_more(base, changes):
    once = yaml_files.merge(base, changes)
    assert yaml_files.merge(once, changes) == once


def test_config_and_snakefile_load_without_torch():
    import subprocess
    import sys

    code = "import sys, pj.config, pj.runs.fingerprint, pj.workflow.jobs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_merged_anchor_is_no_key_given_twice(tmp_path):
    text = """
studies:
  loss:
    variants:
      mse: &v {<<: {epochs: 3}, epochs: 5}
  activation:
    variants:
      tanh: {<<: *v}
"""
    assert variant(load(FULL, overlay(tmp_path, text)), "loss", "mse").spec.epochs == 5


def test_a_text_with_a_colon_stays_a_text_on_the_command_line():
    v = {"studies": {"loss": {"title": "a: b"}}}
    assert load(FULL, overrides=v).study("loss").title == "a: b"


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        ("[]", "at least one number"),
        ("[0.0, 0.1]", "all above 0"),
        ("[-0.1]", "all above 0"),
        ("[0.2, 0.1]", "increasing"),
        ("[0.1, 0.1]", "increasing"),
    ],
)
@pytest.mark.parametrize(
    "line", ["gradient.absolute", "gradient.relative", "update.absolute", "update.relative"]
)
def test_step_grids_that_make_no_sense_are_faults_before_any_job(line, grid, reason, tmp_path):
    name, key = line.split(".")
    text = f"studies: {{batch_norm_ics: {{base: {{probe: {{{name}: {{{key}: {grid}}}}}}}}}}}"
    (fault,) = faults(tmp_path, text)
    assert fault.startswith(f"studies.batch_norm_ics.base.probe.{line}: {grid}; allowed: ")
    assert reason in fault


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "studies: {batch_norm_ics: {base: {probe: {ics: []}}}}",
            "studies.batch_norm_ics.probes.show: 'ics' needs probe.ics",
        ),
        (
            "studies: {loss: {probes: {show: beta}}}",
            "studies.loss.probes.show: 'beta' needs probe.gradient or probe.update",
        ),
        (
            "studies: {batch_norm_ics: {probes: {bands: {mine: [0.001, 0.3]}}}}",
            "studies.batch_norm_ics.probes.bands.mine: no probed variant with batch norm has the learning "
            "rate 0.3; available: 0.0001, 0.0005, 0.001, 0.002",
        ),
        (
            "studies: {batch_norm_ics: {base: {probe: {update: {absolute: null, relative: null}}}}}",
            "studies.batch_norm_ics.base.probe.update: no step sizes",
        ),
        (
            "landscapes: {vgg_a: {study: los}}",
            "landscapes.vgg_a.study: unknown name 'los'. Allowed: architecture",
        ),
        (
            "landscapes: {vgg_a: {variants: [bn_1e-2, bn]}}",
            "landscapes.vgg_a.variants: unknown name 'bn'. Allowed: bn_1e-2",
        ),
        ("landscapes: {vgg_a: {slices: {points: 2}}}", "landscapes.vgg_a.slices.points: 2; allowed"),
    ],
)
def test_what_probes_and_landscapes_cannot_show_is_a_fault(text, wanted, tmp_path):
    assert faults(tmp_path, text)[0].startswith(wanted)


@pytest.mark.parametrize(
    ("study", "text", "wanted"),
    [
        (
            "batch_norm_smoothness",
            "{probes: {bands: {a: [0.001, 0.01]}}}",
            "beta has no bands; allowed with: loss_range",
        ),
        ("batch_norm_ics", "{variants: {bn_2e-3: {probe: {ics: [conv4]}}}}", "with batch norm has the"),
        ("batch_norm_ics", "{variants: {plain_2e-3: {probe: null}}}", "without batch norm has the"),
        ("batch_norm_ics", "{variants: {bn_2e-3: {optimizer: {momentum: 0.5}}}}", "differ in more than"),
    ],
)
def test_bands_mix_nothing_but_learning_rates(study, text, wanted, tmp_path):
    (fault,) = faults(tmp_path, f"studies: {{{study}: {text}}}")
    assert fault.startswith(f"studies.{study}.probes.bands") and wanted in fault


def test_a_layer_probed_twice_is_a_fault_before_any_job(tmp_path):
    (fault,) = faults(tmp_path, "studies: {batch_norm_ics: {base: {probe: {ics: [conv2, conv2]}}}}")
    assert "is listed twice; list each once" in fault


def test_a_probe_is_part_of_what_a_run_is_and_its_absence_renames_none():
    config = load(FULL)
    assert '"probe"' not in variant(config, "loss", "mse").spec.json_text
    spec = variant(config, "batch_norm_ics", "bn_1e-3").spec
    assert spec.run != RunSpec.model_validate(spec.model_dump() | {"probe": None}).run


def test_studies_of_the_same_probed_run_share_it():
    runs = load(FULL).runs()
    name = variant(load(FULL), "batch_norm_ics", "bn_1e-3").spec.run
    assert runs[name].serves == (
        ("batch_norm_predictiveness", "bn_1e-3"),
        ("batch_norm_ics", "bn_1e-3"),
        ("batch_norm_smoothness", "bn_1e-3"),
    )


def test_a_probed_layer_that_does_not_exist_is_a_fault_before_any_job(tmp_path):
    found = faults(tmp_path, "studies: {batch_norm_ics: {base: {probe: {ics: [conv2, covn3]}}}}")
    assert any("probe.ics: no layer named 'covn3'; available: conv1, conv2" in fault for fault in found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "base: {probe: {evry: 3}}",
            "base.probe.evry: unknown key 'evry'. Allowed: every, gradient, update, ics",
        ),
        (
            "base: {probe: {gradient: {absolut: [1]}}}",
            "absolut: unknown key 'absolut'. Allowed: absolute, relative",
        ),
        (
            "probes: {bnds: {}}",
            "probes.bnds: unknown key 'bnds'. Allowed: show, bands, layer. Did you mean 'bands'",
        ),
    ],
)
def test_an_unknown_key_of_an_optional_part_lists_the_known_ones(text, wanted, tmp_path):
    assert any(wanted in fault for fault in faults(tmp_path, f"studies: {{batch_norm_ics: {{{text}}}}}"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "settings: {layers: [conv9]}",
            "settings.layers: unknown name 'conv9'. Allowed: conv1, conv2, conv3, linear1",
        ),
        ("settings: {layers: [conv3, conv3]}", "settings.layers: conv3 is listed twice"),
        ("settings: {percents: [0, 100]}", "settings.percents.1: 100; allowed: less than 100"),
        ("settings: {percents: [-5, 20]}", "settings.percents.0: -5; allowed: greater than or equal to 0"),
        ("settings: {percents: [20, 10]}", "settings.percents: [20.0, 10.0]; allowed: increasing"),
        (
            "methods: {sgd: [magnitude, magnitude]}",
            "methods.sgd: magnitude is listed twice",
        ),
        (
            "methods: {sgd: [path]}",
            "methods.sgd: the order path needs DessiLBI's Γ, which training with sgd does not have",
        ),
        ("methods: {sdg: [random]}", "methods: unknown name 'sdg'. Allowed: dessilbi, sgd"),
        ("reported: [98.94]", "reported has 1 numbers for 7 percents"),
    ],
)
def test_what_cannot_be_pruned_is_a_fault_before_any_job(text, wanted, tmp_path):
    found = faults(tmp_path, f"prunings: {{lenet_conv3: {{{text}}}}}")
    assert any(wanted in fault for fault in found), found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "path: {weights_of: conv9}",
            "studies.dessilbi_lenet.path.weights_of: unknown name 'conv9'. Allowed: conv1",
        ),
        ("base: {optimizer: {name: dessilbi, kappa: 0.0}}", "optimizer.kappa: 0.0; allowed: greater than 0"),
        (
            "base: {optimizer: {name: dessilbi, lr: 0.1, nu: -1.0}}",
            "optimizer.nu: -1.0; allowed: greater than 0",
        ),
        (
            "variants: {dessilbi: {optimizer: {inner: adam}}}",
            "optimizer.momentum is allowed with inner: sgd only",
        ),
    ],
)
def test_settings_of_paths_that_make_no_sense_are_faults(text, wanted, tmp_path):
    found = faults(tmp_path, f"studies: {{dessilbi_lenet: {{{text}}}}}")
    assert any(wanted in fault for fault in found), found


def test_a_faulty_dessilbi_is_one_fault_and_not_a_missing_path_too(tmp_path):
    text = "studies: {dessilbi_lenet: {variants: {dessilbi: {optimizer: {kappa: 0.0}}}}}"
    (fault,) = faults(tmp_path, text)
    assert "kappa" in fault


def test_a_study_without_dessilbi_has_no_path(tmp_path):
    (fault,) = faults(tmp_path, "studies: {loss: {path: {weights_of: conv1}}}")
    assert fault == "studies.loss.path: needs a variant that is trained with dessilbi"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("view: {grad_cam: [block4]}", "view.grad_cam: unknown name 'block4'. Allowed: conv1, conv2"),
        (
            "view: {feature_maps: [conv1, linear1]}",
            "view.feature_maps: unknown name 'linear1'. Allowed: conv1",
        ),
        ("view: {feature_maps: [conv1, conv1]}", "conv1 is listed twice; list each once"),
        ("view: {image: 10000}", "interpretations.final.view.image: 10000; allowed: 0 to 9999"),
        ("view: {image: -1}", "view.image: -1; allowed: greater than or equal to 0"),
        ("view: {images: 10001}", "interpretations.final.view.images: 10001; allowed: 2 to 10000"),
        ("variants: [wrn]", "interpretations.final.variants: unknown name 'wrn'. Allowed: wrn_16_8"),
        ("study: fnal", "interpretations.final.study: unknown name 'fnal'"),
    ],
)
def test_layers_and_images_that_do_not_exist_are_faults_before_any_job(text, wanted, tmp_path):
    found = faults(tmp_path, f"interpretations: {{final: {{{text}}}}}")
    assert any(wanted in fault for fault in found), found


def test_the_test_images_of_a_users_own_data_are_counted_before_any_job(tmp_path, arrays):
    np.savez(tmp_path / "own.npz", **arrays)
    for k in range(4):
        (tmp_path / "own/test/a").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"own/test/a/{k}.png").touch()
    text = (
        "datasets: {{cifar10: {{source: {source}, path: {path}, label: own}}}}\n"
        "interpretations: {{final: {{view: {{images: 3, image: {image}}}}}}}"
    )
    for source, path, count in (("npz", "own.npz", 12), ("folder", "own", 4)):
        values = {"source": source, "path": tmp_path / path}
        load(FULL, overlay(tmp_path, text.format(**values, image=count - 1)))
        (fault,) = faults(tmp_path, text.format(**values, image=count))
        assert (
            fault == f"interpretations.final.view.image: {count}; allowed: 0 to {count - 1}, the test images"
        )


def test_an_image_beyond_a_reduced_test_split_is_a_fault(tmp_path):
    (fault,) = faults(
        tmp_path, "scale: {name: small, test: 250}\ninterpretations: {final: {view: {image: 250}}}"
    )
    assert fault.endswith("view.image: 250; allowed: 0 to 249, the test images")
