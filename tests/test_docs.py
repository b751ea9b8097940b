"""The documentation: its commands run, its generated parts are current, its links resolve."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import yaml

from helpers.calls import call
from helpers.project import copy, snakemake
from pj.claims.loading import load as load_claims
from pj.claims.schema import Claims
from pj.claims.verdicts import Verdict
from pj.cli import make_parser, reference
from pj.cli.schema import contents
from pj.config import loading, schema
from pj.errors import UserError

ROOT = Path(__file__).parents[1]
SLURM_PLUGIN, SLURM = "snakemake_executor_plugin_slurm", ("--workflow-profile", "profiles/slurm")
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
# Phrases that readers stumbled over, with the plain one.
IDIOMS = {
    r"\b(an?|one) (row|verdict|file|log|job|line|table|call|number|step|run|group) an? \w": "one … per …",
    r"\ban? (colour|dash|marker|picture|band) an? \w": "one … per …",
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


VERDICT = "|".join(get_args(Verdict))


def without_numbers(line: str) -> str:
    """Return a line without what differs between machines: numbers, hashes and verdicts."""
    if re.match(r"\d+ jobs: |\d+/\d+ 100 %", line):
        return line
    line = re.sub(r"\b[0-9a-f]{8}\b", "0", line.replace("**", ""))
    line = re.sub(r"\b(bf16|fp32) on .+ \(\w+\)", "a machine", line)
    line = re.sub(rf"\b({VERDICT})\b", "verdict", re.sub(r"[−+-]?\d[\d.,:]*", "0", line))
    line = re.sub(r"(0 verdict(, )?)+", "verdicts", line)
    return " ".join(re.sub(r"-{2,}", "-", line).split())


@pytest.mark.workflow
@pytest.mark.long
def test_the_commands_of_the_tutorial_run_as_they_are_written_and_print_what_it_shows(tmp_path):
    """Numbers, verdicts and the machine may differ from those shown."""
    copy(tmp_path)
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path / "src"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    # what is left of `make quick`, the tutorial's first step
    snakemake(tmp_path, "--", "results/data/digits.npz", config=("config.quick.yaml",))
    printed: set[str] = set()
    compared = 0
    for language, block in blocks("tutorial.md", "bash", "text", "console"):
        if language == "console":
            compared += console(block, tmp_path, environment)
        elif language == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block]
            run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert run.returncode == 0, f"{block}\n{run.stdout}{run.stderr}"
            printed = {without_numbers(line) for line in (run.stdout + run.stderr).splitlines()}
        else:
            for line in block.splitlines():
                if line not in ("…", "") and not re.match(rf"- \*\*({VERDICT})", line):
                    compared += 1
                    assert without_numbers(line) in printed, f"{line}\n{run.stdout}{run.stderr}"
    assert compared > 25
    table = (tmp_path / "results" / "studies" / "dropout" / "table.md").read_text()
    assert all(f"\n| {name} " in table for name in ("none", "half", "most"))
    assert "**2 claims: " in (tmp_path / "results" / "claims.md").read_text()


def console(block, project, environment):
    """Compare what a faulty command prints; return how many lines were compared."""
    command, *lines = block.splitlines()
    if "1 fault" not in block:
        assert command.split()[1] in ("make", "source")  # tested elsewhere
        return 0
    given = project / "dropout.yaml"
    text = given.read_text()
    given.write_text(text.replace("dropout: 0.5", "dropuot: 0.5"))
    run = subprocess.run(
        command.removeprefix("$ "), shell=True, cwd=project, env=environment, capture_output=True, text=True
    )
    given.write_text(text)
    assert run.returncode == 1
    wanted = [line for line in lines if line != "…"]
    assert all(line in run.stderr.splitlines() for line in wanted), run.stderr
    return len(wanted)


def readme_commands():
    """Return the commands of README.md's code blocks, without comments, and of its table of results."""
    text = (ROOT / "README.md").read_text()
    lines = "".join(re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)).splitlines()
    in_table = re.findall(r"^\|.*\| `((?:snakemake|make) [^`]+)` \|$", text, re.MULTILINE)
    assert in_table
    return [line.split(" #")[0].strip() for line in [*lines, *in_table]]


README_YAML = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_yaml_of_the_readme_is_what_config_yaml_and_claims_may_hold(schemas):
    change, claim = map(yaml.safe_load, README_YAML)
    jsonschema.validate(change, schemas["config"])
    jsonschema.validate({"claims": claim}, schemas["claims"])


def test_the_variant_and_the_claim_of_the_readme_fit_the_example(tmp_path):
    change, claim = README_YAML
    for name in ("config.quick.yaml", "words.quick.yaml", "claims.quick.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "my.yaml").write_text(change)
    with (tmp_path / "claims.quick.yaml").open("a") as file:
        file.write(claim)
    config = loading.load(tmp_path / "config.quick.yaml", tmp_path / "my.yaml")
    assert len(load_claims(tmp_path / "claims.quick.yaml", config)) == 11
    (new,) = config.runs().keys() - loading.load(ROOT / "config.quick.yaml").runs().keys()
    assert len(config.runs()[new].seeds) == 5  # "five more networks"


def test_every_column_of_runs_csv_is_explained():
    text = (ROOT / "docs" / "reference" / "outputs.md").read_text()
    explained = set(re.findall(r"`([a-z_0-9]+)`", text.partition("## Columns of runs.csv")[2]))
    tables = [*ROOT.glob("example/studies/*/runs.csv"), *ROOT.glob("reference/*/studies/*/runs.csv")]
    columns = {name for path in tables for name in path.read_text().partition("\n")[0].split(",")}
    assert len(columns) > 30 and {name for name in columns if not name.startswith("support_")} <= explained


@pytest.mark.workflow
def test_the_output_in_the_readme_is_what_the_example_prints(tmp_path):
    """Its jobs are those of config.quick.yaml, its verdicts those that are kept in example/."""
    (shown,) = re.findall(r"^```text\n(\d+ jobs: .*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    options = ("--quiet", "rules", "--forceall", "--configfile", "config.quick.yaml")
    _, output = call(tmp_path, copy(tmp_path) / "src", "-n", *options)
    first, *steps, headline, last = shown.splitlines()
    planned = next(line for line in output.splitlines() if " jobs: " in line)
    assert planned.startswith(first.removesuffix("…"))
    names = "".join(path.read_text() for path in (ROOT / "example").glob("studies/*/runs.csv"))
    named = re.findall(r"digits\d*-[a-z0-9]+-[0-9a-f]{8}", "".join(steps))
    assert len(named) == 2 and all(name in names for name in named)
    claims = (ROOT / "example" / "report.md").read_text()
    assert f"**{headline}**" in claims and last == "Open results/report.html"


@pytest.mark.workflow
def test_the_commands_of_the_readme_are_understood_as_they_are_written(tmp_path):
    """Those of hours are only planned; CI runs `make quick` whole."""
    project = copy(tmp_path)
    kinds, plans = Counter(), defaultdict(tuple)  # targets, by the options that they are asked for with
    for command in readme_commands():
        program, *arguments = shlex.split(command)
        kinds[program] += 1
        match program:
            case "make":
                subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)
            case "pj":
                assert make_parser().parse_args(arguments).command
            case "snakemake":
                options = tuple(part for part in arguments if find_spec(SLURM_PLUGIN) or part not in SLURM)
                at = options.index("--") if "--" in options else len(options)
                # the whole of config.yaml is planned by a test of its own
                plans[options[:at]] += options[at + 1 :] or ("results/data/mnist.npz",)
            case _:
                assert program == "source"
    for options, targets in plans.items():
        plan = ["-n", "--quiet", *options, "--", *targets]
        status, output = call(project, project / "src", *plan)
        assert status == 0, f"{plan}\n{output}"
    assert kinds["make"] >= 2 and kinds["snakemake"] >= 4 and kinds["pj"] >= 2


def test_every_promise_has_a_test_that_exists():
    table = (DOCS / "background" / "promises.md").read_text().split("## Not promised")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "| test |" not in line]
    assert len(rows) > 10
    for row in rows:
        files = re.findall(r"`(tests/[\w/]+\.py)`", row)
        assert files and all((ROOT / file).is_file() for file in files), row


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


@pytest.fixture(scope="module")
def generated():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # whose config.yaml names its claims
        return contents(ROOT)


@pytest.mark.parametrize("page", ["docs/reference/config.md", *reference.PAGES])
def test_the_generated_parts_are_current(page, generated):
    assert (ROOT / page).read_text() == generated[page], "out of date: run `pj schema`"


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


def idioms(text):
    return [
        f"{match[0]!r}: write {plain!r}"
        for idiom, plain in IDIOMS.items()
        for match in re.finditer(idiom, text)
    ]


# What config.md says is written in the settings' own descriptions, which are read below.
@pytest.mark.parametrize("page", [p for p in PAGES if p != "reference/config.md"])
def test_the_pages_are_in_plain_words(page):
    generated = r"<!-- generated: \w+ -->.*?<!-- end -->"
    assert not idioms(re.sub(generated, "", (DOCS / page).read_text(), flags=re.DOTALL))


@pytest.mark.parametrize(
    "path",
    [
        path.relative_to(ROOT).as_posix()
        for pattern in (
            "*.md",
            "*.yaml",
            "Snakefile",
            "Makefile",
            "rules/*",
            "profiles/**/*.yaml",
            "src/**/*",
        )
        for path in sorted(ROOT.glob(pattern))
        if path.suffix in (".md", ".yaml", ".py", ".smk", ".j2") or path.name in ("Snakefile", "Makefile")
    ],
)
def test_what_people_read_elsewhere_is_in_plain_words(path):
    """README, settings, help, messages, templates and comments."""
    if path != "CHANGELOG.md":
        assert not idioms((ROOT / path).read_text())
