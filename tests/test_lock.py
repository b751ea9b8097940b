"""requirements.lock: the versions that `make` installs."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WANTED = [
    Requirement(text) for text in (*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"])
]


def pinned():
    """Return the pinned requirements, each with the text of its hashes."""
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    return [(Requirement(block.split("\\\n")[0].strip()), block) for block in blocks if block[0] != "#"]


@pytest.mark.parametrize("wanted", WANTED, ids=lambda r: r.name)
def test_every_dependency_is_pinned_within_its_bounds(wanted):
    found = [pin for pin, _ in pinned() if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
    assert found
    for pin in found:
        (version,) = pin.specifier
        assert version.operator == "==" and wanted.specifier.contains(version.version)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_that_is_supported_has_one_version_of_each(python):
    here = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
    here |= {"platform_machine": "x86_64", "platform_python_implementation": "CPython"}
    names = [
        canonicalize_name(pin.name) for pin, _ in pinned() if not pin.marker or pin.marker.evaluate(here)
    ]
    assert len(names) == len(set(names))
    assert {canonicalize_name(wanted.name) for wanted in WANTED} <= set(names)


def test_every_pin_has_hashes_and_the_file_has_no_address():
    assert all("--hash=sha256:" in block for _, block in pinned())
    assert "://" not in LOCK and "--index" not in LOCK and "--find-links" not in LOCK
