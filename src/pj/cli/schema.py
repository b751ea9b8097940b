"""pj schema: JSON schemas of config.yaml and claims.yaml, and the generated pages of docs/."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pj import files
from pj.claims.schema import Claims
from pj.cli import reference
from pj.config import schema
from pj.errors import UserError

EXAMPLES = {
    "pj schema": "those of the project in this folder",
    "pj schema --check": "for CI: whether they are up to date",
}
EXIT_CODES = {1: "an error, reported in one message; with --check also a file that is out of date"}


def contents(root: Path) -> dict[str, str]:
    """Return the content of each file by its path below ``root``."""
    config, claims = schema.of_config(), schema.of_claims(Claims)
    page = schema.page(config, claims)
    schemas = {
        "config.schema.json": json.dumps(config, indent=1, ensure_ascii=False) + "\n",
        "claims.schema.json": json.dumps(claims, indent=1, ensure_ascii=False) + "\n",
    }
    if not (root / "mkdocs.yml").is_file():
        return schemas | {"docs/CONFIG.md": page}
    return schemas | {"docs/reference/config.md": page} | reference.pages(root)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where to write the files (default: here)",
    )


def run(options: argparse.Namespace) -> None:
    """Write the files, or report which are out of date."""
    files.check_writable(options.output, "the schemas go")
    found = {options.output / name: text for name, text in contents(options.output).items()}
    stale = [p for p, text in found.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    if options.check and stale:
        raise UserError(f"out of date: {', '.join(map(str, stale))}; run `pj schema` to write them")
    if not options.check:
        for path, text in found.items():
            files.write_text(path, text)
        print(f"written: {', '.join(map(str, found))}")
