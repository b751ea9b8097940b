"""The documentation: its commands run, its generated parts are current, its links resolve."""

import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
import yaml

from helpers.project import copy
from pj.claims.schema import Claims
from pj.cli import make_parser, reference
from pj.cli.schema import contents
from pj.config import schema
from pj.errors import UserError

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
# Phrases that readers stumbled over, with the plain one.
IDIOMS = {
    r"\b(an?|one) (row|verdict|file|log|job|line|table|call|number|step|run|group) an? \w": "one … per …",
    r"\b(is|are|was|were) told\b": "is reported",
    r"\bfurther looks?\b|\blooks at a claim\b": "checks",
    r"\bwithout a word\b": "silently, or by default",
    r"\bmend(s|ed)?\b": "fix",
    r"\bcomes? to\b": "is",
    r"\b(that|which|it|what) stands?\b|\bstands? (in|at|on|beside|for)\b": "is",
    r"\bof this kind\b": "such",
    r"\brooms\b": "folders",
}


def blocks(page: str, *languages: str) -> list[tuple[str, str]]:
    """Return the code blocks of a page in some languages, in order, each with its language."""
    text = (DOCS / page).read_text()
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(language, block) for language, block in found if language in languages]


def without_numbers(line: str) -> str:
    return " ".join(re.sub(r"-{2,}", "-", re.sub(r"\d[\d.,:]*", "0", line)).split())


@pytest.mark.workflow
def test_the_commands_of_the_tutorial_run_as_they_are_written_and_print_what_it_shows(tmp_path):
    """Numbers, verdicts and the machine may differ from those shown."""
    copy(tmp_path)
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path / "src"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    printed: set[str] = set()
    compared = 0
    for language, block in blocks("tutorial.md", "bash", "text"):
        if language == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block]
            run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert run.returncode == 0, f"{block}\n{run.stdout}{run.stderr}"
            printed = {without_numbers(line) for line in (run.stdout + run.stderr).splitlines()}
            continue
        for line in block.splitlines():
            if "**" not in line and line != "…" and line:
                compared += 1
                assert without_numbers(line) in printed, f"{line}\n{run.stdout}{run.stderr}"
    assert compared > 20
    table = (tmp_path / "results" / "studies" / "dropout" / "table.md").read_text()
    assert all(f"\n| {name} " in table for name in ("none", "half", "most"))
    assert "**2 claims: " in (tmp_path / "results" / "claims.md").read_text()


def readme_commands():
    """Return the command lines of README.md, without their comments."""
    text = (ROOT / "README.md").read_text()
    lines = "".join(re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)).splitlines()
    return [line.split(" #")[0].strip() for line in lines]


@pytest.mark.workflow
def test_the_commands_of_the_readme_are_understood_as_they_are_written(tmp_path):
    """Those of hours are only planned; CI runs `make quick` whole."""
    project = copy(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    kinds = Counter()
    for command in readme_commands():
        program, *arguments = shlex.split(command)
        kinds[program] += 1
        match program:
            case "make":
                subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)
            case "pj":
                assert make_parser().parse_args(arguments).command
            case "snakemake":
                plan = [sys.executable, "-m", "snakemake", "-n", "--quiet", *arguments]
                plan = [part for part in plan if part not in ("--workflow-profile", "profiles/slurm")]
                run = subprocess.run(plan, cwd=project, env=environment, capture_output=True, text=True)
                assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
            case _:
                assert program == "source"
    assert kinds["make"] == 2 and kinds["snakemake"] >= 4 and kinds["pj"] >= 2


def test_the_readme_is_short_and_shows_a_light_picture_first():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    picture = ROOT / re.search(r"^!\[[^\]]+\]\((.+)\)$", text, re.MULTILINE)[1]
    assert text.index("![") < text.index("\n## ") and picture.stat().st_size < 200_000
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (ROOT / link).exists()


@pytest.fixture(scope="module")
def schemas():
    return {"config": schema.of_config(), "claims": schema.of_claims(Claims)}


# Its model is one that is to be added.
@pytest.mark.parametrize("page", [p for p in PAGES if p != "how-to/add-a-model.md"])
def test_the_yaml_of_the_pages_is_what_the_files_may_hold(page, schemas):
    for _, block in blocks(page, "yaml"):
        content = yaml.safe_load(block)
        if isinstance(content, list) or isinstance(content.get("claims"), list):
            kind, whole = "claims", content if isinstance(content, dict) else {"claims": content}
        elif content.keys() <= schemas["config"]["properties"].keys():
            kind, whole = "config", content
        elif "contrast" in content:
            claim = {"id": 1, "report": "A", "statement": "…", "statistic": "contrast", "expect": "above"}
            kind, whole = "claims", {"claims": [claim | content]}
        else:  # a part of a specification
            kind, whole = "config", {"studies": {"one": {"base": content}}}
        faults = jsonschema.Draft202012Validator(schemas[kind]).iter_errors(whole)
        assert not [f"{block}\n{fault.message}" for fault in faults]


@pytest.mark.parametrize("page", ["docs/reference/config.md", *reference.PAGES])
def test_the_generated_parts_are_current(page, monkeypatch):
    monkeypatch.chdir(ROOT)  # whose config.yaml names its claims
    assert (ROOT / page).read_text() == contents(ROOT)[page], "out of date: run `pj schema`"


def test_a_page_that_lacks_a_generated_part_is_named(tmp_path):
    (tmp_path / "page.md").write_text("<!-- generated: models -->\n<!-- end -->\n")
    assert reference.filled(tmp_path, "page.md", {"models": "a table"}) == (
        "<!-- generated: models -->\n\na table\n\n<!-- end -->\n"
    )
    with pytest.raises(UserError, match=r"page.md has the generated parts \['models'\]; needed: "):
        reference.filled(tmp_path, "page.md", {"others": "a table"})


def test_every_kept_campaign_is_on_the_results_page():
    text = (DOCS / "results.md").read_text()
    folders = [path.parent for path in (ROOT / "reference").glob("*/provenance.json")]
    assert folders
    for folder in folders:
        assert f"### {folder.name}\n" in text


def pages_of(nav):
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from pages_of(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation_once():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert sorted(pages_of(nav)) == PAGES


def test_the_site_builds_without_a_broken_link_and_loads_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    for page in PAGES:
        html = (tmp_path / page).with_suffix(".html").read_text()
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]+)"|<link[^>]* href="([^"]+)"', html)
        assert not [link for pair in loaded for link in pair if link.startswith(("http", "//"))]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_title_and_says_first_what_it_is_for(page):
    lines = (DOCS / page).read_text().splitlines()
    assert lines[0].startswith("# ") and lines[1] == "" and re.match(r"[A-Z`]", lines[2])
    outside = re.sub(r"^```.*?^```$", "", "\n".join(lines), flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# ", outside, re.MULTILINE)) == 1


# What these pages say is written elsewhere.
@pytest.mark.parametrize("page", [p for p in PAGES if p != "reference/config.md"])
def test_the_pages_are_in_plain_words(page):
    text = re.sub(r"<!-- generated: \w+ -->.*?<!-- end -->", "", (DOCS / page).read_text(), flags=re.DOTALL)
    found = [
        f"{match[0]!r}: write {plain!r}"
        for idiom, plain in IDIOMS.items()
        for match in re.finditer(idiom, text)
    ]
    assert not found
