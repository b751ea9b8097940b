"""The generated parts of docs/: commands, components, and the results that are kept.

A page of docs/ is written by hand except between ``<!-- generated: name -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from pj.config.cards import Card
from pj.config.components import LOSSES, MODELS, OPTIMIZERS, SCHEDULES, SOURCES, counted
from pj.config.messages import writable
from pj.errors import UserError

if TYPE_CHECKING:
    from pj.claims.verdicts import Judgement

PAGES = ("docs/reference/cli.md", "docs/reference/models.md", "docs/results.md")
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
WIDTH = 100  # columns of a command's help
SUFFIXES = (".md", ".csv", ".png")  # of a kept table or figure that results.md links to


def pages(root: Path) -> dict[str, str]:
    """Return the pages of ``root``/docs that have generated parts, by path, as they should be now."""
    parts = (
        {"commands": commands()},
        {"models": models(), "others": others()},
        {"scorecard": scorecard(root), "kept": kept(root)},
    )
    return {name: filled(root, name, part) for name, part in zip(PAGES, parts, strict=True)}


def filled(root: Path, name: str, parts: Mapping[str, str]) -> str:
    """Return a page with its generated parts replaced; UserError if it does not have exactly these."""
    text = (root / name).read_text(encoding="utf-8")
    if (found := sorted(match[2] for match in PART.finditer(text))) != sorted(parts):
        raise UserError(f"{name} has the generated parts {found}; needed: {sorted(parts)}")
    return PART.sub(lambda match: f"{match[1]}\n{parts[match[2]].strip()}\n\n{match[3]}", text)


def commands() -> str:
    """Return the help of every command."""
    from pj.cli import COMMANDS, make_parser

    found = next(a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction)).choices
    sections = []
    for name, command in found.items():
        command.formatter_class = lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=WIDTH)
        text = command.format_help()
        sections.append(f"### pj {name}\n\n{_sentence(COMMANDS[name])}\n\n```text\n{text}```\n")
    return "\n".join(sections)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def models() -> str:
    """Return one row per network: what it is, its size and layers, its options."""
    rows = [
        "| name | network | parameters | layers | convolutions that can be pruned | options (default) |",
        "|:--|:--|--:|:--|:--|:--|",
    ]
    known = {name: card for name, card in MODELS.items() if "LAYERS" in card.facts}
    for name, card in known.items():
        layers = [
            f"{count} {kind}" for kind, count in (counted(card.settings(name=name)) or {}).items() if count
        ]
        prunable = ", ".join(card.facts.get("CONSUMERS", ())) or "–"
        cells = [f"`{name}`", _summary(card), f"{_parameters(name, card):,}", ", ".join(layers), prunable]
        rows.append(_row([*cells, _options(card.settings)]))
    return "\n".join(rows)


def _parameters(name: str, card: Card) -> int:
    """Return how many parameters a network has with its defaults, for ten classes."""
    import torch

    from pj.models import create

    with torch.device("meta"):
        network = create(
            name, in_channels=_channels(name), **card.settings(name=name).model_dump(exclude={"name"})
        )
    return sum(p.numel() for p in network.parameters())


def _channels(name: str) -> int:
    return 1 if name == "lenet" else 3


def others() -> str:
    """Return the losses, optimizers, schedules and data sources, one row per component."""
    kinds = {"Losses": LOSSES, "Optimizers": OPTIMIZERS, "Schedules": SCHEDULES, "Data sources": SOURCES}
    return "\n\n".join(f"## {title}\n\n{_components(cards)}" for title, cards in kinds.items())


def _components(cards: Mapping[str, Card]) -> str:
    rows = ["| name | what it is | options (default) |", "|:--|:--|:--|"]
    rows += [_row([f"`{name}`", _summary(card), _options(card.settings)]) for name, card in cards.items()]
    return "\n".join(rows)


def _summary(card: Card) -> str:
    return " ".join((card.settings.__doc__ or "").split("\n\n")[0].split())


def _options(settings: type[BaseModel]) -> str:
    """Return the options of a component with their defaults, linked to the reference of all keys."""
    names = []
    for name, field in settings.model_fields.items():
        if name in ("name", "source") or (field.alias or name) not in writable(settings):
            continue
        default = "" if field.is_required() else f" ({_plain(field.default)})"
        names.append(f"`{name}`{default}")
    return f"{', '.join(names) or 'none'} ([details](config.md#{settings.__name__.lower()}))"


def _plain(value: object) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump()
    return "none" if value is None else json.dumps(value, ensure_ascii=False).strip('"')


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def scorecard(root: Path) -> str:
    """Return the verdicts on all claims by what is kept in ``root``/reference: each campaign by itself."""
    from pj.report.tables import claims  # loads pandas
    from pj.report.text import labels

    judgements = _judgements(root)
    rows = [
        "| # | claim | source paper's number | measured (95 % interval) | verdict | seeds | measured in |",
        "|--:|:--|--:|:--|:--|--:|:--|",
    ]
    for found in judgements:
        statement = f"{found.claim.statement} ({claims.where(found.claim)})"
        reported = labels.number(found.claim.reported, "{:g}")
        place = f"`{found.source}`" if found.value is not None else ""
        seeds, measured = str(found.seeds or ""), claims.shown(found) + claims.pointing(found)
        rows.append(_row([str(found.claim.id), statement, reported, measured, found.verdict, seeds, place]))
    meanings = [f"- **{name}**: {claims.MEANING[name]}." for name in claims.counts(judgements)]
    return "\n".join([f"**{claims.headline(judgements)}.**", "", *rows, "", *meanings])


def _judgements(root: Path) -> list[Judgement]:
    from pj import config
    from pj.claims import verdicts
    from pj.claims.loading import load
    from pj.report.pages.source import kept as source

    loaded = config.load(str(root / "config.yaml"))
    evidence = [source(folder, folder.name).evidence for folder in campaigns(root)]
    return verdicts.judge(load(root / str(loaded.settings.claims), loaded), evidence, loaded)


def campaigns(root: Path) -> list[Path]:
    """Return the folders that `pj keep` wrote."""
    return sorted(path.parent for path in (root / "reference").glob("*/provenance.json"))


def kept(root: Path) -> str:
    """Return for each campaign its provenance, as reference/README.md has it, and links to its files."""
    table = (root / "reference" / "README.md").read_text(encoding="utf-8")
    texts = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", table, re.MULTILINE))
    sections = []
    for folder in campaigns(root):
        if folder.name not in texts:
            raise UserError(
                f"reference/README.md has no row for {folder.name}; say there what was measured, and how"
            )
        sections += [f"### {folder.name}\n", f"{texts[folder.name]}\n", *_links(folder, root), ""]
    return "\n".join(sections)


def _links(folder: Path, root: Path) -> Iterator[str]:
    """Yield one item per study and analysis, with links to its tables and figures."""
    for place in sorted(path for path in folder.glob("*/*") if path.is_dir()):
        files = [path for path in sorted(place.iterdir()) if path.suffix in SUFFIXES]
        links = [f"[{path.name}](../{path.relative_to(root).as_posix()})" for path in files]
        yield f"- `{place.relative_to(folder).as_posix()}`: {', '.join(links)}"
