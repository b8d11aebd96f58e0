"""Settings are refused with an error of the package that is a ValueError, too."""

from __future__ import annotations

import pytest

from hybridlesion._validation import check_choice, check_number
from hybridlesion.exceptions import HybridLesionError, OptionError


def test_refused_settings_are_value_errors_of_the_package():
    assert issubclass(OptionError, HybridLesionError)
    assert issubclass(OptionError, ValueError)
    with pytest.raises(OptionError, match=r"crop must be one of .* Did you mean 'frame'"):
        check_choice("crop", "frames", ("lesion", "frame"))
    with pytest.raises(OptionError, match="n must be a whole number at least 1, got 0"):
        check_number("n", 0, low=1, integer=True)
