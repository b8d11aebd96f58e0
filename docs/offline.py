"""Check the pages of the site: broken links, and what they would load from another host."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object|link)\b[^>]*?
        \b(?:src|href|data|srcset)=["']?((?:https?:)?//[^"'\s>]+)
    |   @import\s+(?:url\()?["']?((?:https?:)?//[^"')\s;]+)
    |   \burl\(["']?((?:https?:)?//[^"')\s]+)""",
    re.IGNORECASE | re.VERBOSE,
)


def other_hosts(text: str) -> list[str]:
    """List the addresses that a browser requests without a click.

    Parameters
    ----------
    text : str
        HTML or CSS.

    Returns
    -------
    list of str
        Addresses of scripts, images, style sheets, fonts and the like; not those of links to
        click on.
    """
    return [next(filter(None, match.groups())) for match in _LOADED.finditer(text)]


def broken_links(folder: Path) -> list[str]:
    """List the links between the pages of a folder that lead nowhere.

    Parameters
    ----------
    folder : Path
        Folder with HTML pages.

    Returns
    -------
    list of str
        Page and link, for links to a missing file or to an anchor that its page lacks.
    """
    pages = {path.resolve(): _Page(path) for path in sorted(folder.rglob("*.html"))}
    pages = {path: page for path, page in pages.items() if "_static" not in path.parts}
    broken = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchors = pages[target].anchors if target in pages else {parts.fragment}
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                broken.append(f"{path.relative_to(folder.resolve())}: {link}")
    return broken


class _Page(HTMLParser):
    """Links and anchors of an HTML file."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
