"""make: what it refuses before it installs anything."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(folder: Path) -> str:
    """Return what `make quick` prints with a Python that can check and refuses to install."""
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy2(ROOT / name, folder)
    python = folder.parent / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || {{ echo installing; exit 1; }}\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    run = subprocess.run(["make", "quick", f"PYTHON={python}"], cwd=folder, capture_output=True, text=True)
    assert run.returncode != 0
    return run.stdout + run.stderr


@pytest.mark.parametrize("name", ["my project", "pj (1)", "it's", "a&b"])
def test_a_folder_that_snakemake_cannot_run_in_is_named_before_anything_is_installed(name, tmp_path):
    output = make(tmp_path / name)
    assert "cannot run in a folder with " in output and name in output
    assert "installing" not in output


@pytest.mark.parametrize("name", ["fräsh", "pj-1.0_x", "größe@2x"])
def test_other_folders_are_installed_in(name, tmp_path):
    assert "installing" in make(tmp_path / name)
