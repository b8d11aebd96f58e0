"""How a measure and its interval are written wherever people read them."""

from __future__ import annotations

import math

__all__ = ["measure_words"]

_COUNTS = ("n", "n_positive", "n_groups")


def measure_words(
    metric: str, value: float | None, low: float | None, high: float | None
) -> tuple[str, str]:
    """Word one row of `hybridlesion.evaluation.evaluate`.

    Parameters
    ----------
    metric : str
        Name of the measure.
    value, low, high : float or None
        Value and bounds; None or NaN where there is none.

    Returns
    -------
    value : str
        Three decimals, or a whole number for counts.
    interval : str
        ``"LOW to HIGH"``, or nothing.

    Examples
    --------
    >>> measure_words("auc", 0.9, 0.85, 0.94)
    ('0.900', '0.850 to 0.940')
    >>> measure_words("n", 1833.0, None, None)
    ('1,833', '')
    """
    if not _known(value):
        return "undefined", ""
    words = f"{int(value):,}" if metric in _COUNTS else f"{value:.3f}"
    return words, f"{low:.3f} to {high:.3f}" if _known(low) and _known(high) else ""


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)
