"""`pj init`: the project that it writes runs from an installed wheel, and from a clone."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from helpers import calls
from helpers.project import planned
from pj import cli, config
from pj.config import words
from pj.workflow import location

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "Snakefile", "rules", "workflow", "profiles")
FINGERPRINT = """
import sys; from pathlib import Path
from pj.config import load; from pj.runs.fingerprint import run_fingerprint; from pj.workflow import location
(run, *_) = load("config.yaml").runs().values()
print(run_fingerprint(location.folder() / "workflow" / "scripts" / "train.py", run.spec))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """What an installed wheel holds, as a folder for PYTHONPATH."""
    source, built, there = (tmp_path_factory.mktemp(name) for name in ("source", "built", "there"))
    for name in (*SOURCES, "envs", "src"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", built, source], check=True)
    (path,) = built.glob("pj-*.whl")
    zipfile.ZipFile(path).extractall(there)
    return there


def call(project: Path, package: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(package)}
    run = subprocess.run(
        [sys.executable, *command], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def snakemake(project: Path, package: Path, *arguments: str) -> str:
    status, output = calls.call(project, package, "--cores", "2", *arguments)
    assert status == 0, output
    return output


@pytest.fixture(scope="module")
def finished(wheel, tmp_path_factory) -> Path:
    """A project that was written and run from the wheel, in a folder with a space and an umlaut."""
    parent = tmp_path_factory.mktemp("new")
    printed = call(parent, wheel, "-m", "pj", "init", "my stüdy")
    assert "  cd 'my stüdy'\n  snakemake --cores 2\n" in printed
    snakemake(parent / "my stüdy", wheel)
    return parent / "my stüdy"


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project, times and all, to edit."""
    return Path(shutil.copytree(finished, tmp_path / "project"))


def scheduled(project: Path, package: Path) -> dict[str, int]:
    """Return how many jobs of each rule a call would start."""
    return planned(snakemake(project, package, "-n"))


def test_a_new_project_runs_from_an_installed_wheel_and_judges_its_claims(finished):
    assert not (finished / "src").exists() and not (finished / "rules").exists()
    card = (finished / "results" / "claims.md").read_text()
    assert re.search(r"Batch norm raises test accuracy.*\*\*reproduced\*\*", card)
    assert re.search(r"Dropout raises test accuracy.*\*\*inconclusive\*\*", card)
    assert "without batch norm" in (finished / "results" / "report.html").read_text()


def test_a_new_project_makes_its_own_study_and_nothing_else(finished):
    results = finished / "results"
    assert {path.name for path in results.iterdir() if path.is_dir() and path.name[0] != "."} == {
        *("data", "runs", "studies", "logs")
    }
    assert [path.name for path in (results / "studies").iterdir()] == ["parts"]
    assert len(list((results / "runs").glob("*/seed*"))) == 9  # three variants, three seeds


def test_a_second_call_has_nothing_to_do_from_the_wheel_or_from_a_clone(finished, wheel):
    """Where the package is does not change what a result depends on."""
    assert scheduled(finished, wheel) == {}
    assert scheduled(finished, ROOT / "src") == {}
    prints = {call(finished, package, "-c", FINGERPRINT) for package in (wheel, ROOT / "src")}
    assert len(prints) == 1


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_new_variant_trains_alone_and_a_changed_claim_or_comment_trains_nothing(project, wheel):
    for name in ("config.yaml", "Snakefile", "profiles/default/config.yaml", "README.md"):
        with (project / name).open("a") as file:
            file.write("\n# a comment\n")
    assert scheduled(project, wheel) == {}
    edit(project / "claims.yaml", "margin: 1.0", "margin: 2.0")
    assert scheduled(project, wheel) == {"scorecard": 1, "numbers": 1, "report": 1, "page": 1}
    edit(project / "config.yaml", "      full: {}\n", "      full: {}\n      wide: {model: {width: 0.25}}\n")
    assert {scheduled(project, wheel)[rule] for rule in ("train", "evaluate")} == {3}


def test_the_workflow_runs_the_configuration_of_another_folder_and_writes_there(fresh, tmp_path):
    """With the Snakefile of a clone, from a folder that holds nothing."""
    (there := tmp_path / "there").mkdir()
    (empty := tmp_path / "empty").mkdir()
    shutil.copy(fresh / "config.yaml", there)
    edit(there / "config.yaml", "claims: claims.yaml", "")
    edit(there / "config.yaml", "seeds: [0, 1, 2]", "seeds: [5]")
    output = snakemake(empty, ROOT / "src", "-n", "-s", str(ROOT / "Snakefile"), "--directory", str(there))
    assert planned(output)["train"] == 3 and "seed 5" in output
    assert list(empty.iterdir()) == [] and (there / "results").is_dir() and not (fresh / "results").exists()


@pytest.fixture
def fresh(tmp_path):
    """A new project that has not been run."""
    assert cli.main(["init", str(tmp_path / "fresh")]) == 0
    return tmp_path / "fresh"


def test_the_workflow_of_a_clone_is_at_its_root_and_lint_is_content_with_a_new_project(fresh):
    assert location.folder() == ROOT
    assert "Congratulations" in call(fresh, ROOT / "src", "-m", "snakemake", "--lint")


def test_the_example_of_ones_own_images_runs_as_its_comments_say(fresh):
    call(fresh, ROOT / "src", "make_data.py")
    edit(fresh / "config.yaml", "  # shapes:", "  shapes:")
    edit(fresh / "config.yaml", "data: {name: digits}", "data: {name: shapes}")
    edit(fresh / "config.yaml", "claims: claims.yaml", "")  # which are about the variants that are left out
    one = "studies={parts: {variants: {without_batch_norm: null, without_dropout: null}}}"
    snakemake(fresh, ROOT / "src", "--config", "seeds=[0]", one, "--", "results/studies/parts/table.md")
    table = (fresh / "results" / "studies" / "parts" / "table.md").read_text()
    (accuracy,) = re.findall(r"\| full +\| [\d,]+ +\| 1 +\| ([\d.]+)", table)
    assert "shapes" in table and float(accuracy) > 60


def test_what_stands_in_comments_is_valid_when_it_is_taken_out_of_them(fresh, monkeypatch):
    monkeypatch.chdir(fresh)
    Path("words.yaml").write_text("introduction: Words.\n")
    Path("my_nets.py").write_text("class TinyNet:\n    def __init__(self, num_classes, hidden=8): ...\n")
    text = Path("config.yaml").read_text()
    commented = re.findall(r"^( *)# ((\w+): .*)$", text, re.MULTILINE)
    names = ["words", "shapes", "birds", "cifar10", "sweep", "without_dropout", "own"]
    assert [name for *_, name in commented] == names
    for indent, line, name in commented:
        # instead of another form of it that is there
        others = re.sub(rf"^{indent}{name}: .*\n", "", text, flags=re.MULTILINE)
        changed = others.replace(f"{indent}# {line}", indent + line)
        assert yaml.safe_load(changed) != yaml.safe_load(text)
        Path("config.yaml").write_text(changed)
        words.of(config.load("config.yaml"))
