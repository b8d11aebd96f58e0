"""Scores of tables: notes on their limitations, and the prevalence of the training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import OptionError
from hybridlesion.inference._score_table import note_caveats, note_unlike, trained_prevalence


@pytest.mark.parametrize(
    "facts", [{}, {"n_rows": 5}, {"n_rows": 5, "n_positive": 0}, {"n_rows": 5, "n_positive": 5}]
)
def test_models_that_do_not_say_their_prevalence(facts):
    with pytest.raises(OptionError, match="does not record how many"):
        trained_prevalence(None, facts)


def test_notes_on_the_cnn_and_on_context():
    table = pd.DataFrame({"qa__cnn_seen": [0.0, 1, 2, 2], "patient_id": ["a", "a", "b", None]})
    notes = note_caveats(["cnn__score"], table, context=True)
    assert "on 1 image of 4; their CNN score" in notes[0]
    assert "on 2 images of 4 and has no score without them" in notes[1]
    assert "2 of 4 images have no others here" in notes[2]
    assert note_caveats(["abcd__area_share"], table) == ()
    (alone,) = note_caveats([], table.drop(columns="patient_id"), context=True)
    assert "4 of 4 images have no others here" in alone


def test_many_unusual_images_are_noted():
    usual, unusual = np.linspace(0, 1, 200), np.full(60, 0.01)
    assert note_unlike(pd.DataFrame({"applicability": usual})) == []
    both = np.concatenate([usual, unusual])
    (note,) = note_unlike(pd.DataFrame({"applicability": both}))
    assert note.startswith("70 of 260 images are unlike the training images")
    assert "lesions of known diagnosis from this site" in note
