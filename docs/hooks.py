"""What the site needs beside the pages of this folder.

The pages are read in a checkout too, where they link to sources and to the figures' README. On the site that README is
a page, and a link to a source becomes its path: what it leads to must be there all the same.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

_ROOT = Path(__file__).resolve().parents[1]
_DOCS = _ROOT / "docs"
# Pages and pictures of the site that lie elsewhere in the checkout.
_ELSEWHERE = {
    _ROOT / "benchmarks" / "README.md": "benchmarks.md",
    _ROOT / "benchmarks" / "results" / "frontier" / "frontier.png": "images/frontier.png",
}
_LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
_log = logging.getLogger("mkdocs.hooks.links")


def on_files(files: Any, config: Any) -> Any:
    """Add what lies elsewhere."""
    for source, name in _ELSEWHERE.items():
        files.append(File.generated(config, name, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to where their target is on the site, and take from a fence what only the tests read."""
    source = Path(page.file.abs_src_path).resolve()
    here = (_DOCS / page.file.src_uri).parent

    def lead(link: re.Match[str]) -> str:
        text, path, anchor = link[1], link[2], link[3] or ""
        target = (source.parent / path).resolve()
        if target in _ELSEWHERE:
            target = _DOCS / _ELSEWHERE[target]
        elif not target.exists():
            _log.warning("%s links to %s, which is not there", page.file.src_uri, path)
        if target.is_relative_to(_DOCS):
            return f"[{text}]({Path(os.path.relpath(target, here)).as_posix()}{anchor})"
        path = target.relative_to(_ROOT).as_posix()
        return f"`{path}`" if text.strip("`") in path else f"{text} (`{path}`)"

    return _LINK.sub(lead, markdown).replace("```python no-run\n", "```python\n")
