"""A table for people, in Markdown and in LaTeX, written together with its numbers for programs as CSV."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pj import files
from pj.config.analyses import ANALYSES
from pj.errors import UserError


def _greek() -> dict[str, str]:
    """Return the commands of Greek letters; capitals that look Latin are Latin in LaTeX."""
    letters = {}
    for code in range(0x391, 0x3CA):
        if "WITH" in unicodedata.name(chr(code), ""):
            continue
        kind, _, name = unicodedata.name(chr(code), "").removeprefix("GREEK ").partition(" LETTER ")
        if name == "FINAL SIGMA":
            name = "VARSIGMA"
        command = name.lower().replace("lamda", "lambda")
        if kind == "CAPITAL":
            command = command.capitalize() if name in LATEX_CAPITALS else ""
        elif name == "OMICRON":
            command = ""
        latin = LATIN.get(name, "")
        letters[chr(code)] = rf"$\{command}$" if command else latin if kind == "CAPITAL" else "o"
    letters = {letter: text for letter, text in letters.items() if unicodedata.name(letter, "")}
    for accented in map(chr, range(0x386, 0x3CF)):
        parts = unicodedata.normalize("NFD", accented)
        letter, marks = parts[0], parts[1:]
        if letter in letters and marks:
            text = letters[letter].strip("$") if "$" in letters[letter] else rf"\mathrm{{{letters[letter]}}}"
            for mark in marks:
                text = rf"{ACCENTS[mark]}{{{text}}}"
            letters[accented] = f"${text}$"
    return letters


ACCENTS = {"\u0301": r"\acute", "\u0308": r"\ddot"}


LATEX_CAPITALS = ("GAMMA", "DELTA", "THETA", "LAMDA", "XI", "PI", "SIGMA", "UPSILON", "PHI", "PSI", "OMEGA")
LATIN = {
    **dict(zip(("ALPHA", "BETA", "EPSILON", "ZETA", "ETA", "IOTA", "KAPPA"), "ABEZHIK", strict=True)),
    **dict(zip(("MU", "NU", "OMICRON", "RHO", "TAU", "CHI"), "MNOPTX", strict=True)),
}
# Characters that LaTeX reads as commands, and those that its usual fonts lack.
LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "…": r"\ldots{}"},
        **{"±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "−": "$-$", "∞": r"$\infty$", "‖": r"$\|$"},
        **{
            "≥": r"$\geq$",
            "≤": r"$\leq$",
            "≠": r"$\neq$",
            "≈": r"$\approx$",
            "√": r"$\surd$",
            "∇": r"$\nabla$",
        },
        **{
            "→": r"$\to$",
            "←": r"$\gets$",
            "↑": r"$\uparrow$",
            "↓": r"$\downarrow$",
            "↔": r"$\leftrightarrow$",
        },
        **{
            "∈": r"$\in$",
            "∂": r"$\partial$",
            "∑": r"$\sum$",
            "°": r"$^\circ$",
            "µ": r"$\mu$",
            "ℓ": r"$\ell$",
        },
        **{sign: f"$_{digit}$" for digit, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")},
        **{sign: f"$^{digit}$" for digit, sign in zip("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", strict=True)},
        **{"ϵ": r"$\epsilon$", "ϕ": r"$\phi$", "ϑ": r"$\vartheta$", "∝": r"$\propto$", "∼": r"$\sim$"},
        **{"⋅": r"$\cdot$", "′": "$'$", "½": "$1/2$", "‰": r"\textperthousand{}", "✓": r"$\checkmark$"},
        **_greek(),
    }
)
LINES = re.compile(r"\n(- )?|^- ")  # of a text, or of a list
STRONG, EMPHASIS = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"(?<!\w)\*([^*\n]+)\*(?!\w)")


@dataclass(frozen=True)
class Sheet:
    """Text above, a table of text, and text below.

    In the texts emphasis is as in Markdown (``*so*``, ``**so**``); table cells, which hold what people wrote,
    have none, except that the columns ``strong`` are bold.
    """

    above: str
    table: pd.DataFrame
    below: str = ""
    strong: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return GitHub Markdown: a pipe table between its texts."""
        escaped = self.table.map(plain)
        for column in self.strong:
            escaped[column] = "**" + escaped[column] + "**"
        escaped = escaped.rename(columns=plain)
        content = escaped.to_markdown(index=False, disable_numparse=True) if len(escaped.columns) else ""
        return "\n\n".join(filter(None, (self.above, content, self.below))) + "\n"

    def latex(self, label: str) -> str:
        """Return a booktabs table whose caption is the text around it; ``label`` is that of LaTeX's ref."""
        if not len(self.table.columns):
            return _latex_text(self.above)
        styled = self.table.style.hide(axis="index").format(latex).format_index(latex, axis=1)
        if self.strong:
            styled = styled.format(lambda text: rf"\textbf{{{latex(text)}}}", subset=list(self.strong))
        caption = _latex_text(" ".join(LINES.sub(" ", text) for text in (self.above, self.below) if text))
        return styled.to_latex(
            hrules=True, position="htbp", position_float="centering", caption=caption, label=f"tab:{label}"
        )

    def write(self, folder: Path, name: str, data: pd.DataFrame) -> None:
        """Write ``name``.md, .tex, .json (what `read` reads) and, of ``data``, .csv into ``folder``."""
        files.write_text(folder / f"{name}.csv", data.to_csv(index=False))
        files.write_text(folder / f"{name}.md", self.markdown())
        kind = f"{folder.parent.name}-" if folder.parent.name in ANALYSES else ""  # may share a study's name
        files.write_text(folder / f"{name}.tex", self.latex(f"{kind}{folder.name}-{name}"))
        columns, rows = list(self.table.columns), self.table.to_numpy().tolist()
        content = {"above": self.above, "columns": columns, "rows": rows, "below": self.below}
        content |= {"strong": list(self.strong)} if self.strong else {}
        files.write_text(folder / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Sheet:
        """Return what `write` wrote as JSON; UserError for a file that it did not write."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            table = pd.DataFrame(content["rows"], columns=content["columns"], dtype=str)
            return cls(content["above"], table, content["below"], tuple(content.get("strong", ())))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} cannot be read as a table: {error}. It is written together with table.md and .csv; "
                "if an older pj kept them, run `pj keep` again"
            ) from None


# What Markdown reads as markup, besides HTML; an underscore inside of a word is none.
MARKUP = re.compile(r"[\\|\[\]`$*]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
ENTITY = re.compile(r"&(?=#?\w+;)")


def plain(text: str) -> str:
    """Return text for Markdown that is no markup and stays on its line, and in its table cell."""
    # not every reader of Markdown takes a backslash before these two
    html = ENTITY.sub("&amp;", " ".join(text.split())).replace("<", "&lt;")
    return MARKUP.sub(r"\\\g<0>", html)


def _latex_text(text: str) -> str:
    """Return a text with its emphasis for LaTeX."""
    return EMPHASIS.sub(r"\\emph{\1}", STRONG.sub(r"\\textbf{\1}", text.translate(LATEX)))


def latex(text: object) -> str:
    """Return a text that people wrote for LaTeX, in which nothing is markup."""
    found = str(text).translate(LATEX)
    return f"{{}}{found}" if found.startswith(("[", "*")) else found  # else an argument of the row before
