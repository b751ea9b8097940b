"""Names that reach a path, a shell or a pattern are refused unless they are plain; YAML executes nothing."""

import pytest
import yaml

from pj.config import loading
from pj.errors import UserError

HOSTILE = [
    *("../x", "a/b", "/etc", "..", ".hidden", "-rf", "a b", "", "ä", "a\nb", "a\n"),
    *("$(id)", "`id`", "a;b", "a|b", "a*", "{x}", "'", '"', "\\input{x}", "<script>", "](javascript:x)"),
]
BASE = {
    "data": {"name": "digits"},
    "model": {"name": "mlp"},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "epochs": 1,
    "batch_size": 8,
}


def config(study="own", variant="a", dataset="digits", label=None, landscape="l"):
    source = {"source": "digits"} | ({} if label is None else {"label": label})
    return {
        "standalone": True,
        "seeds": [0],
        "datasets": {dataset: source},
        "studies": {
            study: {
                "title": "Own",
                "base": BASE | {"data": {"name": dataset}},
                "variants": {variant: {}},
            }
        },
        "landscapes": {landscape: {"title": "L", "study": study, "variants": [variant]}},
    }


def load(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return loading.load(path)


def test_plain_names_are_taken(tmp_path):
    assert load(tmp_path, config()).runs()
    assert load(tmp_path, config("Own.1", "a-b_c", "Digits", "my-digits", "L2")).runs()


@pytest.mark.parametrize("place", ["study", "variant", "dataset", "label", "landscape"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_not_plain_is_refused(name, place, tmp_path):
    with pytest.raises(UserError):
        load(tmp_path, config(**{place: name}))


@pytest.mark.parametrize(
    "text",
    [
        "seeds: !!python/object/apply:os.system ['touch executed']\n",
        "seeds: !!python/name:os.system\n",
        "seeds: &a [*a]\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nseeds: [*b, *b]\n",
    ],
)
def test_yaml_executes_nothing_and_refers_to_itself_in_vain(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("standalone: true\n" + text)
    with pytest.raises(UserError):
        loading.load(tmp_path / "config.yaml")
    assert not (tmp_path / "executed").exists()
