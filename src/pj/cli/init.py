"""pj init: write a small project that runs, to start your own from."""

from __future__ import annotations

import argparse
import shlex
import shutil
from pathlib import Path

from pj.cli import schema
from pj.errors import UserError
from pj.workflow import location

EXAMPLES = {
    "pj init my-study": "a new folder",
    "pj init .": "the current folder, which must be empty except for .git",
}
HERE = Path(__file__).parent
FILES = {
    "Snakefile": "template/Snakefile",
    "config.yaml": "template/config.yaml",
    "claims.yaml": "template/claims.yaml",
    "make_data.py": "template/make_data.py",
    "README.md": "template/README.md",
    ".gitignore": "template/gitignore",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", type=Path, help="new, or empty")


def run(options: argparse.Namespace) -> None:
    """Write the project, and say what comes next."""
    folder: Path = options.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = sorted(path.name for path in folder.iterdir() if path.name != ".git")
        if found:
            raise UserError(f"{folder} is not empty ({', '.join(found[:3])}); choose a new folder")
        write(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}; choose another folder") from error
    print(f"Wrote a project to {folder}; its README.md explains each file. Next:\n")
    if folder.resolve() != Path.cwd():
        print(f"  cd {shlex.quote(str(folder))}")
    print("  snakemake --cores 2\n\nThat takes a minute or two, and ends in results/report.html.")


def write(folder: Path) -> None:
    """Write the project's files into a folder; OSError if that cannot be done."""
    shutil.copytree(location.folder() / "profiles", folder / "profiles")
    for name, source in FILES.items():
        shutil.copyfile(HERE / source, folder / name)
    for name, text in schema.contents(folder).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
