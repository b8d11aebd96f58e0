"""Find what a page of the site would load from another host."""

from __future__ import annotations

import re

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
