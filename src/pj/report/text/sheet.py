"""A table as people read it, in Markdown and in LaTeX; its numbers for programs stand beside it as CSV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pj import files

# What LaTeX reads as a command, and what its usual fonts lack.
LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "…": r"\ldots{}"},
        **{"±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "−": "$-$", "∞": r"$\infty$", "‖": r"$\|$"},
        **{"Γ": r"$\Gamma$", "ν": r"$\nu$", "β": r"$\beta$", "≥": r"$\geq$", "≤": r"$\leq$"},
    }
)
STRONG, EMPHASIS = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"(?<!\w)\*([^*\n]+)\*(?!\w)")


@dataclass(frozen=True)
class Sheet:
    """Text above, a table of text, and text below; emphasis as in Markdown (``*so*``, ``**so**``)."""

    above: str
    table: pd.DataFrame
    below: str = ""

    def markdown(self) -> str:
        """Return it for GitHub: a pipe table between its texts."""
        escaped = self.table.map(_escaped).rename(columns=_escaped)
        content = escaped.to_markdown(index=False, disable_numparse=True) if len(escaped.columns) else ""
        return "\n\n".join(filter(None, (self.above, content, self.below))) + "\n"

    def latex(self, label: str) -> str:
        """Return a booktabs table whose caption is the text around it; ``label`` is for references to it."""
        if not len(self.table.columns):
            return _latex(self.above)
        styled = self.table.style.hide(axis="index").format(_latex).format_index(_latex, axis=1)
        caption = _latex(" ".join(filter(None, (self.above, self.below))).replace("\n", " "))
        return styled.to_latex(
            hrules=True, position="htbp", position_float="centering", caption=caption, label=f"tab:{label}"
        )

    def write(self, folder: Path, name: str, data: pd.DataFrame) -> None:
        """Write ``name``.md, .tex and, of ``data``, .csv into ``folder``."""
        files.write_text(folder / f"{name}.csv", data.to_csv(index=False))
        files.write_text(folder / f"{name}.md", self.markdown())
        files.write_text(folder / f"{name}.tex", self.latex(f"{folder.name}-{name}"))

    @classmethod
    def parse(cls, markdown: str) -> Sheet:
        """Return what `markdown` wrote: the one pipe table of a page, and the text around it."""
        lines = markdown.splitlines()
        rows = [i for i, line in enumerate(lines) if line.startswith("|")]
        if not rows:
            return cls(markdown.strip(), pd.DataFrame())
        header, _, *content = (_cells(lines[i]) for i in rows)
        above, below = lines[: rows[0]], lines[rows[-1] + 1 :]
        return cls("\n".join(above).strip(), pd.DataFrame(content, columns=header), "\n".join(below).strip())


def _escaped(text: str) -> str:
    """Return text that stays in its cell, and is no markup but for emphasis."""
    return re.sub(r"([|<])", r"\\\1", " ".join(text.split()))


def _cells(row: str) -> list[str]:
    return [re.sub(r"\\([|<])", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def _latex(text: object) -> str:
    return EMPHASIS.sub(r"\\emph{\1}", STRONG.sub(r"\\textbf{\1}", str(text).translate(LATEX)))
