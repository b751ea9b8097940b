"""Tables as people read them: one content in Markdown and in LaTeX, whatever characters it has."""

import html
import shutil
import subprocess
import tempfile
from pathlib import Path

import markdown
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pj.errors import UserError
from pj.report.text.sheet import Sheet, plain

SYMBOLS = "∞ × 2 … Γ ‖W‖ ν β ≥ ≤ − ·"
AWKWARD = Sheet(
    "**digits, 100 % of it**; x_1 & y < 2 #3 {$} \\ ~ ^",
    pd.DataFrame({"variant | name": ["a | b", "*as reported*"], "test": ["83.10 ± 0.2", SYMBOLS]}),
    "Below.",
)
# no line breaks, and no backslash, which escapes a bar
CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\\", exclude_categories=("C", "Z")), max_size=8
)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=4))
def test_what_was_written_is_read_back_as_it_was(rows):
    table = pd.DataFrame(rows, columns=["a", "b|c"], dtype=str)
    with tempfile.TemporaryDirectory() as folder:
        Sheet("above", table, "below").write(Path(folder), "table", table)
        found = Sheet.read(Path(folder) / "table.json")
    assert (found.above, found.below) == ("above", "below")
    assert found.table.equals(table)


def test_a_page_without_a_table_is_read_back_as_text(tmp_path):
    Sheet("Nothing yet.", pd.DataFrame()).write(tmp_path, "table", pd.DataFrame())
    found = Sheet.read(tmp_path / "table.json")
    assert found.above == "Nothing yet." and not len(found.table.columns)


@pytest.mark.parametrize(
    "text",
    [
        r"\[Own\](javascript:alert(1)) \<img src=x onerror=alert(1)>",
        "[Own](javascript:alert(1)) <script>alert(1)</script> `code`",
        r"\\[a](b) ![a](b) &lt;b&gt; &copy; 2*3*4 __init__ _so_ **bold**",
        "R&D, cross_entropy, a < b, 5 > 3",
    ],
)
def test_a_title_is_no_markup_in_markdown(text):
    rendered = markdown.markdown(plain(text))
    assert html.unescape(rendered.removeprefix("<p>").removesuffix("</p>")) == text
    assert rendered.count("<") == 2


def test_what_people_write_in_a_cell_or_heading_is_no_markup_and_a_strong_column_is_bold():
    text = r"\[x](javascript:a) \<img> **so** *so*"
    sheet = Sheet("", pd.DataFrame({"*a*": [text], "verdict": ["held"]}), strong=("verdict",))
    heading, _, row = sheet.markdown().splitlines()
    assert markdown.markdown(heading.strip("| ").split("|")[0].strip()) == "<p>*a*</p>"
    cell, verdict = (markdown.markdown(part.strip()) for part in row.strip("| ").rsplit("|", 1))
    assert html.unescape(cell) == f"<p>{text}</p>" and cell.count("<") == 2
    assert verdict == "<p><strong>held</strong></p>"
    assert r"**so** *so* & \textbf{held}" in sheet.latex("t") and r"\emph" not in sheet.latex("t")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Δοκιμή", r"$\Delta$o$\kappa$$\iota$$\mu$$\acute{\eta}$"),
        ("ϊ Ά", r"$\ddot{\iota}$ $\acute{\mathrm{A}}$"),
        ("10⁻³, x₁ ∝ y", "10$^-$$^3$, x$_1$ $\\propto$ y"),
        ("[a] first", "{}[a] first"),  # or it would be an argument of the row before
        ("*starred", "{}*starred"),
    ],
)
def test_greek_with_accents_signs_and_brackets_reach_latex(text, wanted):
    row = Sheet("", pd.DataFrame({"a": [text]})).latex("t").split("\\midrule\n")[1].split(" \\\\")[0]
    assert row == wanted


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"rows": [["a", "b"]], "columns": ["c"]}'])
def test_a_table_that_pj_did_not_write_is_refused_by_name(text, tmp_path):
    (tmp_path / "table.json").write_text(text)
    with pytest.raises(UserError, match=r"table.json cannot be read as a table"):
        Sheet.read(tmp_path / "table.json")


def test_latex_is_a_booktabs_table_with_caption_and_label():
    text = AWKWARD.latex("loss-table")
    caption = r"\caption{\textbf{digits, 100 \% of it}"
    for part in (r"\toprule", r"\midrule", r"\bottomrule", caption, r"\label{tab:loss-table}"):
        assert part in text
    assert r"a \textbar{} b & 83.10 $\pm$ 0.2 \\" in text and r"*as reported*" in text


def test_tables_of_one_name_have_labels_of_their_own_and_a_list_is_a_caption_of_sentences(tmp_path):
    sheet = Sheet("**2 claims.**", pd.DataFrame({"a": ["b"]}), "- **held**: so.\n- **open**: not yet.")
    labels = {"studies/tiny": "tiny-t", "prunings/tiny": "prunings-tiny-t"}
    for place, label in labels.items():
        (tmp_path / place).mkdir(parents=True)
        sheet.write(tmp_path / place, "t", sheet.table)
        assert rf"\label{{tab:{label}}}" in (tmp_path / place / "t.tex").read_text()
    caption = r"\textbf{2 claims.} \textbf{held}: so. \textbf{open}: not yet.}"
    assert caption in " ".join(sheet.latex("t").split())


def test_latex_has_commands_for_greek_letters_and_common_signs():
    greek = "".join(map(chr, [*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x3B1, 0x3CA)]))
    signs = "± × · − ∞ ≥ ≤ ≠ ≈ → ← ↑ ↓ ∈ ∂ ∑ ∇ √ ° µ ² ³ ½ ‰ … ‖ ✓"
    text = Sheet("", pd.DataFrame({"a": [greek, signs]})).latex("t")
    assert text.isascii()
    for command in (r"$\rho$", r"$\alpha$", r"$\varsigma$", r"$\Lambda$", r"$\omega$", r"$\to$", "$^2$"):
        assert command in text


def test_markdown_tables_show_links_and_code_as_text():
    table = pd.DataFrame({"a": ["[x](javascript:alert(1))", "![i](http://x/y.png)", "`rm`", "*kept*"]})
    text = Sheet("", table).markdown()
    assert (
        r"\[x\](javascript" in text and r"!\[i\](http" in text and r"\`rm\`" in text and r"\*kept\*" in text
    )


def test_a_table_is_written_as_csv_markdown_and_latex(tmp_path):
    AWKWARD.write(tmp_path, "table", pd.DataFrame({"value": [1 / 3]}))
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "table.md", "table.tex", "table.json"}
    assert pd.read_csv(tmp_path / "table.csv")["value"][0] == 1 / 3


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex")
def test_latex_compiles_every_kept_table_and_every_awkward_character(tmp_path):
    kept = sorted((Path(__file__).parents[2] / "reference").rglob("*table.json"))
    sheets = [AWKWARD, *map(Sheet.read, kept)]
    assert len(sheets) > 20
    body = "\n".join(sheet.latex(f"t{i}") + "\n\\clearpage" for i, sheet in enumerate(sheets))
    (tmp_path / "all.tex").write_text(
        f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{body}\n\\end{{document}}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert run.returncode == 0, run.stdout[-2000:]
