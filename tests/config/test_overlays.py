"""What an overlay takes out with null, and where a message says that a key was set."""

from pathlib import Path

import pytest
import yaml

from pj.claims import loading as claims
from pj.config import ConfigError, load, overlays, words
from pj.config.yaml_files import merge

BASE = """\
seeds: [0]
scale: {name: small, train: 100}
datasets:
  digits: {source: digits, image_size: 8}
  other: {source: digits, label: other}
studies:
  own:
    title: Own
    report: A 1
    reference: a
    compare: best_test
    seeds: [1]
    scale: {name: tiny, train: 50}
    probes: {show: loss_range}
    base:
      data: {name: digits, train: 200}
      model: {name: mlp, width: 0.02, dropout: 0.25}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.05, momentum: 0.9}
      schedule: {name: cosine}
      epochs: 1
      batch_size: 8
      probe: {every: 3, gradient: {absolute: [0.1, 0.2]}}
    variants:
      a: {}
      b: {title: The B, reported: {accuracy: 3.0}, optimizer: {lr: 0.1}, model: {dropout: 0.125}}
      c: {optimizer: {name: adam, lr: 0.01}}
  rest:
    title: Rest
    base: &base
      data: {name: digits}
      model: {name: mlp, width: 0.02}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.05}
      epochs: 1
      batch_size: 8
    variants: {a: {}, unselected: {data: {train: null}, probe: null}}
landscapes:
  l: {title: L, report: A 2, study: rest, variants: [a], slices: {images: 20, points: 3, side: 3}}
prunings:
  p:
    title: P
    study: own
    methods: {a: [random], b: [random]}
    settings: {layers: [linear1], percents: [0, 50]}
"""


@pytest.fixture
def laid(tmp_path, monkeypatch):
    """Load the configuration with overlays, each of which is a text."""
    monkeypatch.chdir(tmp_path)

    def load_with(*texts, **options):
        (tmp_path / "config.yaml").write_text(BASE)
        files = [tmp_path / f"{i}.yaml" for i in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        return load("config.yaml", *(file.name for file in files), **options)

    return load_with


def without(*path):
    """Return an overlay that sets a key to null, and the base without that key."""
    overlay, content = None, yaml.safe_load(BASE)
    for key in reversed(path):
        overlay = {key: overlay}
    place = content
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return yaml.safe_dump(overlay), "standalone: true\n" + yaml.safe_dump(content, sort_keys=False)


OPTIONAL = [
    *(
        "scale",
        "landscapes",
        "prunings",
        "studies.rest.variants.unselected",
        "datasets.other",
        "landscapes.l",
    ),
    *(f"studies.own.{key}" for key in ("report", "reference", "compare", "seeds", "scale", "probes")),
    *(f"studies.own.base.{key}" for key in ("schedule", "probe", "optimizer.momentum", "model.dropout")),
    *(f"studies.own.variants.{key}" for key in ("c", "c.optimizer", "b.title", "b.reported", "b.model")),
    *(f"studies.own.variants.b.{key}" for key in ("optimizer.lr", "model.dropout", "reported.accuracy")),
    *("landscapes.l.report", "landscapes.l.slices", "prunings.p", "prunings.p.methods.b"),
    *("scale.train", "datasets.digits.image_size"),
]


@pytest.mark.parametrize("key", OPTIONAL)
def test_what_is_null_in_an_overlay_is_as_if_it_had_never_been_written(laid, key):
    overlay, shorter = without(*key.split("."))
    if key == "studies.own.base.probe":  # whose probes the study shows
        overlay = overlay.replace("own:", "own:\n    probes: null")
        shorter = shorter.replace("    probes:\n      show: loss_range\n", "")
    found, expected = laid(overlay), laid(shorter)
    assert found.variants == expected.variants
    assert found.settings.model_dump(exclude={"standalone", "studies"}) == expected.settings.model_dump(
        exclude={"standalone", "studies"}
    )
    for name in expected.settings.studies:
        assert found.study(name) == expected.study(name)
    assert found.settings.studies.keys() == expected.settings.studies.keys()


def test_a_study_goes_with_what_is_made_of_it(laid):
    after = laid("studies: {own: null}\nprunings: null\n")
    assert list(after.settings.studies) == ["rest"] and not after.analyses("prunings")


def test_null_in_a_variant_is_a_value_where_no_earlier_file_has_set_the_key(laid):
    spec = {v.name: v.spec for v in laid().variants if v.study == "rest"}
    assert spec["unselected"].data.train == 100 and spec["unselected"].probe is None
    unprobed = laid("studies: {own: {probes: null, variants: {a: {probe: null}}}}")
    assert [v.spec.probe is None for v in unprobed.variants if v.study == "own"] == [True, False, False]


def test_a_key_that_was_removed_can_be_set_again_and_the_command_line_removes_too(laid):
    removed, again = (
        f"studies: {{own: {{variants: {{b: {{model: {{dropout: {v}}}}}}}}}}}" for v in ("null", 0.5)
    )
    dropout = [
        laid(*texts).study("own").variants[1].spec.model.dropout for texts in ([removed], [removed, again])
    ]
    assert dropout == [0.25, 0.5]
    # Snakemake hands a null on to its jobs as a text
    variant = {"studies": {"own": {"variants": {"b": {"model": {"dropout": "None"}}}}}}
    assert laid(overrides=variant).study("own").variants[1].spec.model.dropout == 0.25
    # the same overlay on the command line of a job as well
    assert laid(removed, overrides=variant).study("own").variants[1].spec.model.dropout == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("studies: {own: {title: null}}", "studies.own.title: required key is missing (null in 0.yaml:1)"),
        (
            "\nstudies:\n  own:\n    base: null",
            "studies.own.base: required key is missing (null in 0.yaml:4)",
        ),
        (
            "studies: {own: {base: {loss: null}}}",
            "studies.own.base.loss: required key is missing (null in 0.yaml:1)",
        ),
        (
            "studies: {own: {variants: {c: {optimizer: {name: null}}}}}",
            "studies.own.variants.c.optimizer.name: required key is missing (null in 0.yaml:1)",
        ),
        (
            "studies: {own: {variants: {a: {loss: null}}}}",
            "studies.own.variants.a.loss: required key is missing (null in 0.yaml:1)",
        ),
        ("landscapes: {l: {study: null}}", "landscapes.l.study: required key is missing (null in 0.yaml:1)"),
        ("seeds: null", "seeds: required key is missing (null in 0.yaml:1)"),
        ("studies: null", "studies: required key is missing (null in 0.yaml:1)"),
        (
            "studies: {rest: {variants: {a: null, unselected: null}}}",
            "studies.rest.variants: is empty; needed: at least one entry (0.yaml:1)",
        ),
        (
            "studies: {own: {variants: {a: null}}}",
            "studies.own.reference: unknown name 'a'. Allowed: b, c (null took out studies.own.v",
        ),
        ("datasets: {digits: null}", "unknown name 'digits'. Allowed: other (null took out datasets.digits)"),
        ("datasets: {digits: null, other: null}", "unknown name 'digits'. There are none (null took out"),
        ("studies: {own: {varaints: null}}", "Did you mean 'variants'? (0.yaml:1)"),
    ],
)
def test_null_on_what_is_needed_is_one_message_with_its_place(laid, text, message):
    with pytest.raises(ConfigError) as error:
        laid(text)
    assert message in str(error.value)


SWEPT = """
studies:
  swept:
    title: Swept
    base: {data: {name: digits}, loss: {name: cross_entropy}, optimizer: {name: sgd, lr: 0.05}, batch_size: 8}
    sweep: {model.name: [mlp], model.dropout: [0.1], zip: {epochs: [1, 20]}, names: "rows_{epochs}"}
"""


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        (["studies", "onw"], "own"),
        (["studies", "own", "variants", "aa"], "a"),
        (["datasets", "othr"], "other"),
        (["landscapes", "ll"], "l"),
        (["prunings", "p", "methods", "aa"], "a"),
        (["studies", "swept", "sweep", "model.droput"], "model.dropout"),
        (["studies", "swept", "sweep", "zip", "epoch"], "epochs"),
        (["studies", "swept", "variants", "rows_200"], "rows_20"),
    ],
)
def test_null_under_a_name_that_no_earlier_file_has_is_refused_with_the_nearest(laid, path, nearest):
    overlay = None
    for key in reversed(path):
        overlay = {key: overlay}
    with pytest.raises(ConfigError) as error:
        laid(SWEPT, "# mine\n" + yaml.safe_dump(overlay))
    assert f"\n  {'.'.join(path)}: null takes out what an earlier file has" in str(error.value)
    assert f"Did you mean {nearest!r}? (null in 1.yaml:{1 + len(path)})" in str(error.value)


def test_null_under_an_unknown_name_is_refused_on_the_command_line_too(laid):
    with pytest.raises(ConfigError, match=r"studies\.owm: null takes .* Did you mean 'own'\?"):
        laid(overrides={"studies": {"owm": None}})


def test_a_variant_without_anything_after_its_name_is_not_left_out_silently(laid):
    new = "studies: {new: {title: N, base: {epochs: 1}, variants: {full: }}}"
    with pytest.raises(ConfigError, match=r"variants\.full: null .*; a variant without changes is {}"):
        laid(new)


def test_a_base_without_a_model_is_one_fault_however_many_variants_change_its_options(laid):
    base, variants = "{base: {model: null}}", "variants: {d: {model: {dropout: 0.5}}}"
    for study in (
        base,
        base.replace("}}", f"}}, {variants}}}"),
        base.replace("}}", "}, sweep: {model.dropout: [0.1, 0.2]}}"),
    ):
        with pytest.raises(ConfigError) as error:
            laid(f"studies: {{rest: {study}}}")
        fault = "studies.rest.base.model: required key is missing (null in 0.yaml:1)"
        assert str(error.value) == f"1 fault in the configuration:\n  {fault}"


def test_claims_about_what_an_overlay_has_removed_are_one_message_each_that_says_so(laid, tmp_path):
    texts = [
        f"{{id: {i}, statement: S., report: A, statistic: contrast, expect: above, contrast: {cells}}}"
        for i, cells in ((1, "{rest/a: 1, rest/unselected: -1}"), (2, "{own/a: 1, rest/a: -1}"))
    ]
    (tmp_path / "claims.yaml").write_text(f"claims: [{', '.join(texts)}]\n")
    config = laid("claims: claims.yaml", "studies: {rest: null}\nlandscapes: null")
    with pytest.raises(ConfigError) as error:
        claims.of(config)
    unknown = "study: unknown name 'rest'. Allowed: own (null took out studies.rest)"
    assert str(error.value).splitlines()[1:] == [f"  claims.yaml: claim {i}: {unknown}" for i in (1, 2)]


def test_a_fault_names_the_file_and_line_of_the_key_or_of_the_mapping_that_lacks_it(laid):
    with pytest.raises(ConfigError) as error:
        laid("# mine\nstudies:\n  new:\n    base: {<<: &b {epochs: 0}}\n    variants: {a: {}}\n")
    assert "studies.new.title: required key is missing (0.yaml:3)" in str(error.value)
    with pytest.raises(ConfigError) as error:
        laid("# mine\nstudies:\n  own:\n    base:\n      epochs: 0\n")
    assert "(0.yaml:5)" in str(error.value)
    with pytest.raises(ConfigError) as error:
        laid(overrides={"threads": "many"})
    assert "(command line)" in str(error.value)


@pytest.mark.parametrize("text", ["seeds: 0\nx: &x {y: *x}", "seeds: 0\nx: &x {<<: *x}", "- 1", "x: ["])
def test_faults_of_a_file_that_refers_to_itself_or_is_no_mapping_are_messages(laid, text):
    with pytest.raises(ConfigError):
        laid(text)


def test_claims_and_texts_are_in_the_working_folder_or_beside_the_file_that_names_them(laid, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "my.yaml").write_text("claims: claims.yaml\nwords: words.yaml\n")
    (tmp_path / "elsewhere" / "words.yaml").write_text("introduction: Beside.\n")
    cells = "{own/a: 1, own/b: -1}"
    claim = f"{{id: 1, statement: S., report: A, statistic: contrast, contrast: {cells}, expect: above}}"
    (tmp_path / "elsewhere" / "claims.yaml").write_text(f"claims: [{claim}]\n")
    laid()
    assert words.of(config := load("config.yaml", "elsewhere/my.yaml")).introduction == "Beside."
    assert [claim.id for claim in claims.of(config)] == [1]
    (tmp_path / "words.yaml").write_text("introduction: Here.\n")
    assert words.of(load("config.yaml", "elsewhere/my.yaml")).introduction == "Here."


@pytest.mark.parametrize("name", ["source", "name", "class", "arch"])
def test_a_variant_may_be_called_like_a_key_that_names_a_component(name, laid):
    more = f"studies: {{own: {{variants: {{{name}: {{optimizer: {{lr: 0.7}}}}}}}}}}"
    found = laid(more, f"studies: {{own: {{variants: {{{name}: {{title: New}}}}}}}}")
    before, there = laid(more).study("own").variants, found.study("own").variants
    assert [variant.name for variant in there] == [variant.name for variant in before]
    (own,) = [variant for variant in there if variant.name == name]
    assert (own.title, own.spec.optimizer.lr) == ("New", 0.7)


def test_below_a_variant_called_options_a_component_replaces_another_one():
    before = {"variants": {"options": {"optimizer": {"name": "sgd", "momentum": 0.9}}}}
    after = {"variants": {"options": {"optimizer": {"name": "adam"}}}}
    assert merge(before, after) == after


def test_options_of_ones_own_part_are_merged_by_key_whatever_they_are_called():
    before = {"class": "my.py:Net", "options": {"name": "a", "arch": "x", "hidden": 32}}
    after = merge(before, {"options": {"name": "b", "arch": "y"}})
    assert after["options"] == {"name": "b", "arch": "y", "hidden": 32}


def test_no_key_is_said_to_be_set_in_a_file_that_a_standalone_one_replaces(laid):
    laid()
    Path("0.yaml").write_text("standalone: true\nseeds: [2]\n")
    Path("1.yaml").write_text("threads: 3\n")
    places = overlays.places(("config.yaml", "0.yaml", "1.yaml"))
    assert places == {("standalone",): "0.yaml:1", ("seeds",): "0.yaml:2", ("threads",): "1.yaml:1"}
