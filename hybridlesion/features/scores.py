"""The four scores of the ABCD rule and the total dermoscopy score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hybridlesion.features._feature import family_rows
from hybridlesion.features.perception import load_perception

__all__ = ["CATALOGUE", "scores"]

_PRESENT = {
    "abcd__structure_network_share": (0.06, 0.02),
    "abcd__structure_structureless_share": (0.35, 0.1),
    "abcd__structure_streaks_octants": (2.0, 0.5),
    "abcd__structure_dots_count": (12.0, 4.0),
    "abcd__structure_globules_count": (12.0, 3.0),
}
"""Where each of the five structures counts as half present, and the width of that step."""


def scores(values: Mapping[str, float]) -> dict[str, float]:
    """Sum up the features of a lesion by the ABCD rule.

    Parameters
    ----------
    values : mapping of str to float
        All other features by column name.

    Returns
    -------
    dict of str to float
        ``asymmetry`` 0-2, ``border`` 0-8, ``color`` 1-6, ``structures`` 1-5 and ``tds`` 1.0-8.9.

    Notes
    -----
    Asymmetry, border and colour are ``low + (high - low) r``, r being the expected rank of the
    lesion among those whose asymmetry, border irregularity and colour variegation people compared
    in pairs (see `PerceptionScale`). Structures count softly: each of network, structureless areas,
    streaks, dots and globules adds ``1 / (1 + exp(-(x - half) / width))``, and one at least is
    there. ``TDS = 1.3 A + 0.1 B + 0.5 C + 0.5 D``. Stolz's limits 4.75 and 5.45 hold for
    scores that dermatologists give; they are no decision limits for these.

    References
    ----------
    Stolz et al. 1994, Eur. J. Dermatol. 4; Nachbar et al. 1994, J. Am. Acad. Dermatol. 30.
    """
    ranks = {name: scale.rank(values) for name, scale in load_perception().items()}
    present = sum(
        1.0 / (1.0 + np.exp(-np.clip((values[name] - half) / width, -50.0, 50.0)))
        for name, (half, width) in _PRESENT.items()
    )
    result = {
        "asymmetry": 2.0 * ranks["asymmetry"],
        "border": 8.0 * ranks["border"],
        "color": 1.0 + 5.0 * ranks["color"],
        "structures": float(max(present, 1.0)),
    }
    result["tds"] = (
        1.3 * result["asymmetry"]
        + 0.1 * result["border"]
        + 0.5 * result["color"]
        + 0.5 * result["structures"]
    )
    return result


CATALOGUE = (
    *family_rows(
        "score",
        "Stolz 1994; people's comparisons",
        (("asymmetry", "score", 0.0, 2.0, "A: 2 x expected rank of perceived asymmetry"),),
    ),
    *family_rows(
        "score",
        "Stolz 1994; people's comparisons",
        (
            ("border", "score", 0.0, 8.0, "B: 8 x expected rank of perceived border irregularity"),
            ("color", "score", 1.0, 6.0, "C: 1 + 5 x expected rank of perceived variegation"),
        ),
        invariance=("rotation", "mirror", "shift"),
    ),
    *family_rows(
        "score",
        "Stolz 1994",
        (("structures", "score", 1.0, 5.0, "D: soft count of five structures, at least 1"),),
    ),
    *family_rows(
        "score",
        "Stolz 1994",
        (("tds", "score", 1.0, 8.9, "1.3 A + 0.1 B + 0.5 C + 0.5 D"),),
        invariance=("rotation", "mirror", "shift"),
    ),
)
