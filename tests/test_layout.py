"""The layout of the package: modules at its root, what loads torch, and the names that others call."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASICS = {
    "__init__",
    "__main__",
    "durations",
    "errors",
    "files",
    "randomness",
    "registry",
    "statistics",
    "own",
    "syntax",
}
PUBLIC = [
    "pj.models:create",
    "pj.models:names",
    "pj.losses:create",
    "pj.optim:create",
    "pj.optim:SAM",
    "pj.optim:DessiLBI",
    "pj.data:cutmix",
    "pj.landscape:probe",
    "pj.landscape:ics",
    "pj.interpret:class_maps",
    "pj.interpret:grad_cam",
    "pj.config:load",
    "pj.config:Config",
]


def test_the_root_of_the_package_holds_only_shared_basics():
    assert {path.stem for path in (ROOT / "src" / "pj").glob("*.py")} == BASICS


def test_every_package_has_a_folder_of_tests():
    packages = {path.name for path in (ROOT / "src" / "pj").iterdir() if (path / "__init__.py").is_file()}
    tested = {
        path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and list(path.glob("test_*.py"))
    }
    assert tested - {"slurm"} == packages


def test_the_names_that_others_call_are_there():
    code = "\n".join(
        f"import {module}; assert callable({module}.{thing}), '{module}.{thing}'"
        for module, _, thing in (name.partition(":") for name in PUBLIC)
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_a_package_lacks_is_an_attribute_error():
    from pj import config, interpret, landscape, optim

    for package in (config, interpret, landscape, optim):
        with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
            package.nothing  # noqa: B018


def test_what_the_snakefile_loads_imports_neither_torch_nor_numpy():
    text = (ROOT / "rules" / "common.smk").read_text()
    imports = [line.strip() for line in re.findall(r"^ *from pj.*$", text, re.MULTILINE)]
    assert len(imports) > 5
    heavy = ("torch", "torchvision", "numpy", "pandas", "scipy", "matplotlib")
    code = "\n".join(["import sys", *imports, "from pj.config import load", "load('config.yaml')"])
    code += f"\nassert not [name for name in {heavy} if name in sys.modules]"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_package_never_imports_snakemake():
    found = [
        path
        for path in (ROOT / "src" / "pj").rglob("*.py")
        if re.search(r"^\s*(from|import) snakemake", path.read_text(), re.MULTILINE)
    ]
    assert not found


def test_a_rules_file_is_a_page_and_a_script_does_one_thing():
    assert len((ROOT / "rules" / "common.smk").read_text().splitlines()) <= 150
    assert all(len(path.read_text().splitlines()) <= 40 for path in (ROOT / "workflow").rglob("*.py"))


def test_what_takes_seconds_runs_beside_snakemake_on_a_cluster():
    """Each rule says so itself: `use rule` does not inherit it."""
    computing = {"train", "train_probed", "evaluate", "measure"}
    found = {}
    for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]:
        for block in re.split(r"^(?=(?:use )?rule )", path.read_text(), flags=re.MULTILINE)[1:]:
            name = re.match(r"(?:use rule \w+ as|rule) (\w+)", block)[1]
            found[name] = "    localrule: True" in block
    assert set(found) > computing
    assert {name for name, local in found.items() if not local} == computing


def test_what_is_installed_has_every_file_of_the_package():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
        "pj"
    ]
    package = ROOT / "src" / "pj"
    others = {p for p in package.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    others |= set(package.glob("workflow/startup/*.py"))  # no package: Python runs it when it starts
    assert others == {path for pattern in patterns for path in package.glob(pattern)}
