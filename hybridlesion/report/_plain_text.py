"""Names that come from outside, as text that a figure can show."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["plain_text"]

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def plain_text(text: str, longest: int = 80) -> str:
    """Replace what the font cannot show, and shorten.

    Dollar signs stay: draw the text with ``parse_math=False``.

    Parameters
    ----------
    text : str
        For example an image id; may hold line breaks, other scripts or broken bytes.
    longest : int, default=80
        Most characters; the middle of a longer text gives way to an ellipsis.

    Returns
    -------
    str
        One line of characters that matplotlib's own font has.

    Examples
    --------
    >>> plain_text("a\\nb"), plain_text("abcdefgh", longest=5)
    ('a\ufffdb', 'ab\u2026gh')
    """
    shown = "".join(c if c.isprintable() and ord(c) in _known() else _UNKNOWN for c in text)
    if len(shown) <= longest:
        return shown
    tail = (longest - 1) // 2
    return f"{shown[: longest - 1 - tail]}\u2026{shown[-tail:]}"


@lru_cache(maxsize=1)
def _known() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
