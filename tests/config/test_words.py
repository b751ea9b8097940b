"""What the pages say about a paper, as data."""

import re
from pathlib import Path

import pytest

from pj.config import loading, words
from pj.config.loading import ConfigError
from pj.config.words import Words

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(monkeypatch):
    monkeypatch.chdir(ROOT)
    return loading.load("config.yaml")


def test_a_project_without_words_has_none(config):
    without = config.settings.model_copy(update={"words": None})
    assert words.of(loading.Config(without, config.variants)) == Words()


def test_the_words_of_the_two_reports_are_data(config):
    found = words.of(config)
    assert "two course reports" in found.introduction and "Report A" in found.assumptions
    assert set(found.notes) <= set(config.settings.studies)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "introdution: Hello",
            "words.yaml: introdution: unknown key 'introdution'. Allowed: introduction, assumptions, notes",
        ),
        ("notes: {los: Hello}", "words.yaml: notes: unknown name 'los'. Allowed: .*Did you mean 'loss'"),
        ("introduction: 3", "words.yaml: introduction: 3"),
        ("[]", "holds a list at the top"),
    ],
)
def test_faulty_words_are_refused_before_any_job(config, text, fault, tmp_path):
    (tmp_path / "words.yaml").write_text(text)
    named = config.settings.model_copy(update={"words": str(tmp_path / "words.yaml")})
    with pytest.raises(ConfigError, match=fault):
        words.of(loading.Config(named, config.variants))


def test_the_package_knows_no_paper():
    """What a source says, and what is said of it, stands beside config.yaml."""
    package = ROOT / "src" / "pj"
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in package.rglob("*")
        if path.suffix in (".py", ".j2")
        for match in re.finditer(r"report [AB]\b|course report", path.read_text(), re.IGNORECASE)
    ]
    assert not found
