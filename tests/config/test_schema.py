"""The JSON schemas and the reference page: true to the types, to the files, and to what people mistype."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from pj import cli
from pj.claims.schema import Claims
from pj.cli.schema import contents
from pj.config import schema

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schemas():
    return {"config": schema.of_config(), "claims": schema.of_claims(Claims)}


def problems(schema, content):
    """Return where a document does not fit a schema, the innermost places."""
    found = jsonschema.Draft202012Validator(schema).iter_errors(content)
    return [".".join(map(str, error.absolute_path)) for error in found]


def test_the_committed_files_are_those_of_the_types(tmp_path):
    now = contents(tmp_path)
    for name in ("config.schema.json", "claims.schema.json"):
        assert (ROOT / name).read_text() == now[name], f"{name} is out of date: run `pj schema`"


def test_a_file_that_is_out_of_date_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["schema"]) == 0
    # others are of pj's own repository
    assert [p.name for p in (tmp_path / "docs").iterdir()] == ["CONFIG.md"]
    assert cli.main(["schema", "--check"]) == 0
    (tmp_path / "claims.schema.json").write_text("{}")
    assert cli.main(["schema", "--check"]) == 1
    assert "out of date: claims.schema.json; run `pj schema` to write them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("config.yaml", "config"),
        ("config.quick.yaml", "config"),
        ("config.smoke.yaml", "config"),
        ("claims.yaml", "claims"),
        ("claims.quick.yaml", "claims"),
    ],
)
def test_the_projects_own_files_fit_and_name_their_schema(schemas, file, kind):
    text = (ROOT / file).read_text()
    assert text.startswith(f"# yaml-language-server: $schema={kind}.schema.json\n")
    assert problems(schemas[kind], yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("seds: [0]", ""),
        ("seeds: [0.5]", "seeds.0"),
        ("studies: {s: {base: {model: {name: mlp, depth: 16}}}}", "studies.s.base.model"),
        ("studies: {s: {base: {epoch: 3}}}", "studies.s.base"),
        ("studies: {s: {variants: {v: {optimizer: {lr: -1}}}}}", "studies.s.variants.v.optimizer"),
        ("studies: {s: {variants: {v: {model: {activation: gelu}}}}}", "studies.s.variants.v.model"),
        ("studies: {s: {variants: {v: {reported: {acuracy: 3}}}}}", "studies.s.variants.v.reported"),
        ("datasets: {d: {source: npz, paht: x}}", "datasets.d"),
        ("prunings: {p: {settings: {percents: [100]}}}", "prunings.p.settings.percents.0"),
        ("scale: {name: small, width: 2}", "scale.width"),
    ],
)
def test_what_is_mistyped_is_found_where_it_is(schemas, text, where):
    assert any(place.startswith(where) for place in problems(schemas["config"], yaml.safe_load(text)))


@pytest.mark.parametrize(
    "text",
    [
        "studies: {s: {variants: {v: {model: {dropout: 0.1}, title: A title}}}}",
        "studies: {s: {variants: {v: {data: {cutmix: null}, optimizer: {lr: 0.2}}}}}",
        "studies: {final: {base: {compile: false}}}",
    ],
)
def test_a_partial_specification_fits(schemas, text):
    assert problems(schemas["config"], yaml.safe_load(text)) == []


def properties(node, path=""):
    if isinstance(node, dict):
        for name, field in node.get("properties", {}).items():
            yield f"{path}.{name}", field
        for key, inner in node.items():
            yield from properties(inner, f"{path}.{key}")
    elif isinstance(node, list):
        for inner in node:
            yield from properties(inner, path)


@pytest.mark.parametrize("kind", ["config", "claims"])
def test_every_key_that_people_may_write_has_a_description(schemas, kind):
    lacking = [path for path, field in properties(schemas[kind]) if not field.get("description")]
    assert not lacking


def test_the_page_names_every_key_and_links_to_what_is_there(schemas):
    text = schema.page(schemas["config"], schemas["claims"])
    headings = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert {name.lower() for name in re.findall(r"\]\(#(\w+)\)", text)} <= {h.lower() for h in headings}
    for found in schemas.values():
        for path, _ in properties(found):
            assert f"| `{path.split('.')[-1]}` |" in text
    assert json.loads((ROOT / "config.schema.json").read_text()) == schemas["config"]
