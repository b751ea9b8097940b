"""A hook of mkdocs: pages may link to files outside docs/, of which the site gets a copy under files/."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"\]\((\.\./[^)#\s]+)\)")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to files of the repository at their copies; a link to nothing is left for --strict."""
    docs = Path(config.docs_dir)
    here = Path(page.file.src_uri)

    def copied(match: re.Match[str]) -> str:
        target = (docs / here.parent / match[1]).resolve()
        if target.is_relative_to(docs) or not target.is_file():
            return match[0]
        name = f"files/{target.relative_to(docs.parent).as_posix()}"
        if target.suffix == ".md":
            name += ".txt"  # or it would be a page
        if name not in files.src_uris:
            files.append(File.generated(config, name, abs_src_path=str(target)))
        return f"]({'../' * (len(here.parts) - 1)}{name})"

    return LINK.sub(copied, markdown)
