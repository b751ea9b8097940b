"""results/report.html: the scorecard, its evidence, and all tables and figures, in one file of its own.

Everything is read from a folder of tables and figures: results/, or what `pj keep` kept of a machine.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pj import files
from pj.claims import Contrast, Probed, RankCorrelation, cells, study_of
from pj.config import Config
from pj.evidence import Evidence
from pj.report import distrust, scorecard
from pj.verdicts import Judgement

FIGURES = {  # what may lie beside a table, and what it shows, for those who cannot see it
    "curves": "loss and accuracy by epoch, one line a variant",
    "probes": "what probes along the runs found, with batch norm and without",
    "path": "share of each layer's units in the support, by epoch",
    "weights": "absolute weights of a layer, a picture a variant",
    "pruning": "test accuracy against the share of units removed, a line an order of removal",
    "landscape": "the loss along one direction and over planes of two",
    "image": "a test image, feature maps of some layers, and Grad-CAM by layer",
    "sheet": "test images of each class, with Grad-CAM below each",
    "tests": "deletion curves against random maps; correlations as weights are randomised",
}
ROOMS = ("studies", "prunings", "landscapes", "interpretations")


@dataclass(frozen=True)
class Table:
    """A table as people read it: what stands above it, its header and its rows."""

    above: str
    header: list[str]
    rows: list[list[str]]
    below: str


@dataclass(frozen=True)
class Picture:
    """An image as a data URI, with its text."""

    source: str
    text: str


@dataclass(frozen=True)
class Section:
    """A study, pruning, landscape or interpretation: its tables and figures."""

    name: str
    title: str
    report: str
    tables: list[Table]
    pictures: list[Picture]


def write(judgements: Sequence[Judgement], config: Config, folder: Path, output: Path) -> None:
    """Write the page on what lies below ``folder``."""
    evidence = Evidence(folder)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = resources("pj.report").joinpath("templates", "report.html.j2").read_text(encoding="utf-8")
    page = environment.from_string(template).render(
        headline=scorecard.headline(judgements)
        if judgements
        else "No claims are given; the studies stand below",
        counts=scorecard.counts(judgements),
        meaning=scorecard.MEANING,
        claims=[_claim(found, config, folder) for found in judgements],
        sections=list(_sections(config, folder)),
        made=distrust.made(config, evidence),
        doubts=distrust.doubts(judgements, config, evidence),
    )
    files.write_text(output, page)


def _claim(found: Judgement, config: Config, folder: Path) -> dict[str, Any]:
    """Return what the page says of a claim."""
    studies = dict.fromkeys(filter(None, (study_of(cell, config) for cell in cells(found.claim))))
    return {
        "id": found.claim.id,
        "where": scorecard.where(found.claim),
        "statement": found.claim.statement,
        "note": found.claim.note,
        "verdict": found.verdict,
        "measured": scorecard.shown(found),
        "reported": "" if found.claim.reported is None else f"{found.claim.reported:g}",
        "seeds": found.seeds,
        "statistic": _statistic(found),
        "p": None if found.p is None else f"{found.p:.2g}",
        "p_equivalent": None if found.p_equivalent is None else f"{found.p_equivalent:.2g}",
        "predicted": found.predicted and "{:.2f} … {:.2f}".format(*found.predicted),
        "values": {seed: f"{value:.3f}" for seed, value in found.values.items()},
        "notes": found.notes,
        "drawing": _drawing(found),
        "studies": [s for s in studies if (folder / "studies" / s).is_dir()],
    }


def _statistic(found: Judgement) -> str:
    claim = found.claim
    match claim:
        case Contrast():
            terms = [f"{'+' if w > 0 else '−'} {abs(w):g} · {cell}" for cell, w in claim.contrast.items()]
            kind = "ratio of " if claim.ratio else ""
            of_runs = {cell.split("/")[0] for cell in claim.contrast} - {"prunings", "interpretations"}
            what = f"{kind}{claim.quantity}: " if of_runs else ""
            return f"{what}{' '.join(terms)}; expected {claim.expect} {claim.than:g}"
        case RankCorrelation():
            return f"Spearman's correlation of parameters and {claim.quantity} in {claim.study}"
        case Probed():
            row = ", ".join(f"{key} {value}" for key, value in claim.row.items())
            return f"with / without batch norm in {claim.study}: {row}; expected {claim.expect} 1"
    return f"{claim.statistic}: {', '.join(cells(claim))}"


def _drawing(found: Judgement) -> dict[str, Any] | None:
    """Return where interval, report's number and the line of no effect stand, in percent of the width."""
    if found.value is None or found.low is None or found.high is None:
        return None
    claim = found.claim
    neutral = claim.than if isinstance(claim, Contrast) else 1.0 if isinstance(claim, Probed) else 0.0
    points = [found.low, found.high, neutral, *([] if claim.reported is None else [claim.reported])]
    low, high = min(points), max(points)
    margin = (high - low or abs(high) or 1.0) * 0.08

    def place(x: float) -> float:
        return round(100 * (x - low + margin) / (high - low + 2 * margin), 2)

    return {
        "low": place(found.low),
        "high": place(found.high),
        "value": place(found.value),
        "neutral": place(neutral),
        "neutral_label": f"{neutral:g}",
        "reported": None if claim.reported is None else place(claim.reported),
        "text": f"measured {scorecard.shown(found)}"
        + ("" if claim.reported is None else f", report {claim.reported:g}"),
    }


def _sections(config: Config, folder: Path) -> Iterator[Section]:
    """Yield what has a table below ``folder``, by the report's sections; what has none comes last."""
    for room in ROOMS:
        frames: dict[str, Any] = getattr(config.settings, room)
        for name, frame in sorted(frames.items(), key=lambda item: getattr(item[1], "report", "") or "~"):
            own = folder / room / name
            tables = [own / "table.md", *sorted(own.glob("*_table.md"))]
            if not tables[0].is_file():
                continue
            yield Section(
                name=f"{room}-{name}",
                title=frame.title,
                report=getattr(frame, "report", ""),
                tables=[parse(path.read_text(encoding="utf-8")) for path in tables if path.is_file()],
                pictures=list(_pictures(own, frame.title)),
            )


def _pictures(folder: Path, title: str) -> Iterator[Picture]:
    for name, text in FIGURES.items():
        path = folder / f"{name}.png"
        if path.is_file():
            content = base64.b64encode(path.read_bytes()).decode()
            yield Picture(f"data:image/png;base64,{content}", f"{title}: {text}")


def parse(markdown: str) -> Table:
    """Return a page's one pipe table, as `pandas.DataFrame.to_markdown` writes it, and the text around it."""
    lines = markdown.splitlines()
    rows = [i for i, line in enumerate(lines) if line.startswith("|")]
    if not rows:
        return Table(_plain(lines), [], [], "")
    header, _, *content = (_row(lines[i]) for i in rows)
    return Table(_plain(lines[: rows[0]]), header, content, _plain(lines[rows[-1] + 1 :]))


def _row(line: str) -> list[str]:
    return [_plain([cell.replace("\\|", "|")]) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _plain(lines: Iterable[str]) -> str:
    """Return text with the emphasis of Markdown made that of HTML, all else escaped."""
    text = str(Markup.escape("\n".join(lines).strip()))
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return Markup(re.sub(r"(?<!\w)\*([^*\n]+)\*(?!\w)", r"<em>\1</em>", text))  # escaped above
