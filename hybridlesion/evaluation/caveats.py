"""When bootstrap intervals should not be believed."""

from __future__ import annotations

import pandas as pd

__all__ = ["interval_caveats"]

_FEWEST_GROUPS = 20
_FEWEST_POSITIVES = 10


def interval_caveats(metrics: pd.DataFrame) -> tuple[str, ...]:
    """Say whether the data are too few for the intervals of `evaluate`.

    Parameters
    ----------
    metrics : DataFrame
        What `evaluate` gave.

    Returns
    -------
    tuple of str
        One note if there are fewer than 20 groups or fewer than 10 positives, else none.

    Notes
    -----
    With few groups a bootstrap draws the same ones again and again and its intervals are too
    narrow; from "few" (5 to 30 groups) on, coverage suffers [1]_. With a handful of positives
    the ranking measures take few distinct values. Both limits are rules of thumb.

    References
    ----------
    .. [1] A. C. Cameron, J. B. Gelbach, D. L. Miller, "Bootstrap-based improvements for inference
       with clustered errors", Review of Economics and Statistics 90, 414-427, 2008.

    Examples
    --------
    >>> counts = {"metric": ["n", "n_positive", "n_groups"], "value": [90.0, 4.0, 30.0]}
    >>> interval_caveats(pd.DataFrame(counts))
    ('4 positives in 30 groups: too few for the intervals to mean much (10 and 20 are needed).',)
    """
    value = metrics.set_index("metric")["value"]
    n_positive, n_groups = int(value["n_positive"]), int(value["n_groups"])
    if n_positive >= _FEWEST_POSITIVES and n_groups >= _FEWEST_GROUPS:
        return ()
    return (
        f"{n_positive} positives in {n_groups} groups: too few for the intervals to mean much "
        f"({_FEWEST_POSITIVES} and {_FEWEST_GROUPS} are needed).",
    )
