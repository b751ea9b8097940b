"""report.html: the scorecard, its evidence, and all tables and figures, in one file of its own.

Everything is read from tables and figures: those of results/, or those that `pj keep` kept of machines.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from PIL import Image

from pj import files
from pj.claims.schema import Probed, cells, of_runs, study_of
from pj.claims.verdicts import Judgement
from pj.config.analyses import ANALYSES
from pj.config.words import Words
from pj.errors import UserError
from pj.report import inventory
from pj.report.figures import style
from pj.report.pages import forest
from pj.report.pages.markdown import PATHS, PROBES
from pj.report.pages.source import Source
from pj.report.tables import claims, classes
from pj.report.text import captions, caveats, labels, names, overview, statistic
from pj.report.text.sheet import EMPHASIS, STRONG, Sheet

TEMPLATE = "templates/report.html.j2"
# The content of each is part of the page's fingerprint.
PARTS = ("templates/forest.html.j2", "templates/page.css.j2", "templates/page.js.j2")
COLOURS = 256
NUMBER = re.compile(r"[-+−×~]?\s?[\d∞]")


@dataclass(frozen=True)
class Picture:
    """An image as a data URI, with its text, its size in pixels and, of curves, their values."""

    id: str
    source: str
    text: str
    size: tuple[int, int]
    curves: Any


@dataclass(frozen=True)
class Section:
    """A study, pruning, landscape or interpretation: its tables and figures."""

    id: str
    title: str
    where: str  # of the paper, and of the source if there are several
    text: str  # what its tables and figures show
    sheets: list[Sheet]
    folded: list[Sheet]  # shown on a click
    pictures: list[Picture]


def write(judgements: Sequence[Judgement], sources: Sequence[Source], words: Words, output: Path) -> None:
    """Write the page on what the sources hold."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=DictLoader({Path(name).name: _template(name) for name in PARTS}),
    )
    environment.filters["emphasis"] = _emphasis
    sections = [section for source in sources for section in _sections(source)]
    page = environment.from_string(_template(TEMPLATE)).render(
        standing=overview.standing(judgements),
        introduction=words.introduction.strip(),
        titles=overview.titles(sources),
        facts=overview.facts(sources),
        counts=claims.counts(judgements),
        groups=forest.groups(judgements),
        where_width=_where_width(judgements),
        axes=forest.axes_of(judgements),
        meaning=claims.MEANING,
        claims=[_claim(found, sources, sections) for found in judgements],
        sections=sections,
        numeric=_numeric,
        made=[(source.name, caveats.made(source)) for source in sources],
        doubts=caveats.doubts(judgements, sources),
    )
    files.write_text(output, page)


def _where_width(judgements: Sequence[Judgement]) -> float:
    """Return how wide the column of papers and sections is, in rem, so that no word is broken."""
    words = [len(word) for found in judgements for word in claims.where(found.claim).split()]
    return min(9, max(4, 0.6 * max(words, default=0) + 0.4))


def _template(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _numeric(table: pd.DataFrame) -> list[str]:
    """Return the columns of a table, after its first, that hold numbers alone."""
    return [
        str(column)
        for column in table.columns[1:]
        if (filled := [cell for cell in table[column] if cell]) and all(map(NUMBER.match, filled))
    ]


def _claim(found: Judgement, sources: Sequence[Source], sections: Sequence[Section]) -> dict[str, Any]:
    """Return what the page says of a claim, with the sections it rests on and a figure of each."""
    source = _source(found, sources)
    anchors = _anchors(found, source)
    own = [section for section in sections if section.id in anchors]
    main = {f"{anchor}-{figure}" for anchor, figure in anchors.items()}
    return _numbers(found, source) | {
        "id": found.claim.id,
        "where": claims.where(found.claim),
        "also": [_numbers(check, _source(check, sources)) for check in found.also],
        "elsewhere": [_numbers(other, _source(other, sources)) for other in found.elsewhere],
        "sections": own,
        "pictures": [picture for section in own for picture in section.pictures if picture.id in main],
    }


def _source(found: Judgement, sources: Sequence[Source]) -> Source:
    return next(source for source in sources if source.name == found.source)


def _numbers(found: Judgement, source: Source) -> dict[str, Any]:
    """Return the numbers of a claim, or of one of its further checks."""
    claim = found.claim
    quantity = getattr(claim, "quantity", "")
    analysed = not all(map(of_runs, cells(claim)))  # their values are what the cells name
    axis = next(iter(forest.axes_of([found])), None)
    return {
        "statement": claim.statement,
        "note": claim.note,
        "scale_free": claim.scale_free,
        "verdict": found.verdict,
        "measured": claims.shown(found) + claims.pointing(found),
        "reported": labels.number(claim.reported, "{:g}"),
        "seeds": found.seeds,
        "statistic": statistic.of(found, source.config),
        "p": None if found.p is None else f"{found.p:.2g}",
        "p_equivalent": None if found.p_equivalent is None else f"{found.p_equivalent:.2g}",
        "predicted": found.predicted and " … ".join(claims.written(found, x) for x in found.predicted),
        "by_seed": {seed: claims.written(found, value) for seed, value in found.values.items()},
        "notes": claims.notes(found, [source]),
        "source": found.source,
        "axis": axis,
        "drawn": forest.row(found, axis),
        "runs": [
            row
            | {
                "cell": names.cell(cell, source.config),
                "value": labels.number(row["value"], "{:.4g}"),
            }
            for cell in found.cells
            for row in source.evidence.behind(cell, quantity)
        ]
        if found.value is not None
        else [],
        "quantity": "" if analysed else names.quantity(quantity),
    }


def _anchors(found: Judgement, source: Source) -> dict[str, str]:
    """Return the sections that a claim rests on, by their id, each with the figure that shows most of it."""
    anchors = {}
    for cell in cells(found.claim):
        kind, *rest = cell.split("/")
        study = study_of(cell, source.config)
        if study:
            anchors[_id(source, "studies", study)] = "probes" if isinstance(found.claim, Probed) else "curves"
        if not of_runs(cell):
            anchors[_id(source, kind, rest[0])] = ["", *ANALYSES[kind].figures][-1]
    return anchors


def _id(source: Source, kind: str, name: str) -> str:
    return re.sub(r"[^\w.-]", "_", "-".join(filter(None, (source.name, kind, name))))


def _sections(source: Source) -> Iterator[Section]:
    """Yield what has a table, by the report's sections; what has none comes last."""
    for kind in ("studies", *ANALYSES):
        frames: dict[str, Any] = getattr(source.config.settings, kind)
        for name, frame in sorted(frames.items(), key=lambda item: item[1].report or "~"):
            own = source.folder / kind / name
            if not (own / "table.md").is_file():
                continue
            # others may be left of a sweep or of probes that the settings had once
            made = {own / file for file in inventory.of(source.config, kind, name)}
            tables = [own / "table.json", *made & {own / "probes_table.json"}]
            identity = _id(source, kind, name)
            yield Section(
                id=identity,
                title=frame.title,
                where=", ".join(filter(None, (_kind(kind), frame.report, source.name))),
                text=_explained(kind, frame),
                sheets=_sheets(filter(Path.is_file, tables)),
                folded=_sheets(filter(Path.is_file, [own / f"{classes.NAME}.json"])),
                pictures=[
                    _picture(path, f"{identity}-{figure}", f"{frame.title}: {text}")
                    for figure, text in captions.of(kind).items()
                    if (path := own / f"{figure}.png") in made and path.is_file()
                ],
            )
    modes = source.folder / "modes" / "table.json"
    if source.config.settings.modes and modes.is_file():
        yield Section(
            _id(source, "modes", "table"), "train() and eval()", source.name, "", _sheets([modes]), [], []
        )


def _kind(kind: str) -> str:
    return ANALYSES[kind].title if kind in ANALYSES else ""


def _explained(kind: str, frame: Any) -> str:
    """Return what the tables and figures of an analysis show, or of a study's probes and paths."""
    if kind in ANALYSES:
        return ANALYSES[kind].text
    return "\n".join(filter(None, (frame.probes and PROBES[frame.probes.show], frame.path and PATHS)))


def _sheets(paths: Iterable[Path]) -> list[Sheet]:
    return [Sheet.read(path) for path in paths]


def _picture(path: Path, identity: str, text: str) -> Picture:
    """Return an image in 256 colours, a third of its file, so that a page of many stays a few megabytes."""
    try:
        with Image.open(path) as image:
            values = image.info.get(style.VALUES)
            small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    except OSError as error:
        raise UserError(f"{path} is damaged ({error}); delete it, or put it back from a copy") from None
    content = BytesIO()
    small.save(content, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
    return Picture(identity, source, text, small.size, json.loads(values) if values else None)


def _emphasis(text: str) -> str:
    """Return text with the emphasis of Markdown made that of HTML, all else escaped."""
    strong = STRONG.sub(r"<strong>\1</strong>", str(Markup.escape(text)))
    return Markup(EMPHASIS.sub(r"<em>\1</em>", strong))  # escaped above
