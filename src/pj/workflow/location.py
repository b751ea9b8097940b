"""Where the Snakefile is that belongs to this package."""

from __future__ import annotations

from pathlib import Path

from pj.errors import UserError

PACKAGE = Path(__file__).parents[1]
# An installed package carries the workflow itself (setup.py); a clone has it at its root.
FOLDERS = (PACKAGE / "snakemake", PACKAGE.parents[1])


def folder() -> Path:
    """Return the folder of the Snakefile, rules, scripts, profiles and environments; else UserError."""
    for there in FOLDERS:
        if (there / "Snakefile").is_file():
            return there
    raise UserError(f"{PACKAGE} has no Snakefile: install pj again, from a wheel or as a clone")


def snakefile() -> str:
    """Return the Snakefile, for a project of one's own to include."""
    return str(folder() / "Snakefile")
