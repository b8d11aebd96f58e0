"""What the intervals of an evaluation cannot say."""

from __future__ import annotations

import pandas as pd

__all__ = ["interval_caveats"]

_FEWEST_GROUPS = 20
_FEWEST_POSITIVES = 10
# Positives from which one in 60 samples at most has none below the threshold for a sensitivity.
_FEWEST_BELOW = {80: 19, 90: 39, 95: 80}


def interval_caveats(metrics: pd.DataFrame) -> tuple[str, ...]:
    """Say what the intervals of `evaluate` cannot, because the data are too few.

    Parameters
    ----------
    metrics : DataFrame
        What `evaluate` gave.

    Returns
    -------
    tuple of str
        One note if there are fewer than 20 groups or fewer than 10 positives; one if there are
        fewer than 80 positives.

    Notes
    -----
    From "few" (5 to 30 groups) on, variances over groups are too small and coverage suffers [1]_,
    and the intervals were tried with 13 positives at the least. Both limits are rules of thumb.

    The second note is exact: of m positives none lies below the threshold for sensitivity s in
    ``s**m`` of all samples. Where that is more than the error allowed below, 1.7 %, no method can
    give the lower end of the threshold, or of the specificity there, without an assumption; see
    `threshold_interval` for ours.

    References
    ----------
    .. [1] A. C. Cameron, J. B. Gelbach, D. L. Miller, "Bootstrap-based improvements for inference
       with clustered errors", Review of Economics and Statistics 90, 414-427, 2008.

    Examples
    --------
    >>> counts = {"metric": ["n", "n_positive", "n_groups"], "value": [90.0, 20.0, 30.0]}
    >>> interval_caveats(pd.DataFrame(counts))[0][:53]
    'From 20 positives no method knows the lower end of th'
    """
    value = metrics.set_index("metric")["value"]
    n_positive, n_groups = int(value["n_positive"]), int(value["n_groups"])
    notes = []
    if n_positive < _FEWEST_POSITIVES or n_groups < _FEWEST_GROUPS:
        notes.append(
            f"{n_positive} positives in {n_groups} groups: too few for the intervals to mean much "
            f"({_FEWEST_POSITIVES} and {_FEWEST_GROUPS} are needed)."
        )
    unknown = [str(at) for at, fewest in _FEWEST_BELOW.items() if n_positive < fewest]
    if unknown:
        *first, last = unknown
        levels = f"{', '.join(first)} and {last}" if first else last
        notes.append(
            f"From {n_positive} positives no method knows the lower end of the threshold for "
            f"{levels} % sensitivity, and of the specificity there: these assume a concave ROC "
            f"curve ({_FEWEST_BELOW[int(last)]} positives are needed)."
        )
    return tuple(notes)
