"""Numbers on and between the ends of bands."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import OptionError
from hybridlesion.metrics import BANDS, band


@pytest.mark.parametrize("kind", sorted(BANDS))
def test_an_end_belongs_to_the_upper_band(kind):
    ends, names = BANDS[kind]
    assert len(names) == len(ends) + 1
    assert band(list(ends), kind).tolist() == list(names[1:])
    below = [np.nextafter(end, -np.inf) for end in ends]
    assert band(below, kind).tolist() == list(names[:-1])


def test_bands_are_ordered_and_missing_values_stay_missing():
    found = band(pd.Series([80, None, 20, "x"]), "age")
    assert found.cat.ordered
    assert found.isna().tolist() == [False, True, False, True]
    assert found.min() == "under 30"


def test_unknown_kind_is_refused():
    with pytest.raises(OptionError, match="Did you mean 'skin_tone'"):
        band([1], "skin_tones")
