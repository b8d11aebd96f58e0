"""Steps of trainings in other processes are summed for the progress."""

from __future__ import annotations

import pandas as pd

from hybridlesion.training import _finetune_folds as _step_notes
from hybridlesion.training._finetune_folds import StepNote, watch_steps


def test_noted_steps_are_summed(tmp_path, monkeypatch):
    monkeypatch.setattr(_step_notes, "_SECONDS", 0.01)
    told = []
    with watch_steps(tmp_path, ["fold_0", "fold_1"], lambda *steps: told.append(steps)):
        StepNote(tmp_path, "fold_0")(3, 10)
        StepNote(tmp_path, "fold_1")(12, 12)
    assert told[-1] == (15, 0, 22)


def test_what_has_not_begun_counts_as_the_longest(tmp_path):
    told = []
    with watch_steps(tmp_path, ["fold_0", "fold_1"], lambda *steps: told.append(steps)):
        StepNote(tmp_path, "fold_0")(10, 10)
    assert told[-1] == (10, 0, 20)


def test_notes_are_rare_but_the_last_is_written(tmp_path):
    note = StepNote(tmp_path, "fold_0")
    for step in range(1, 6):
        note(step, 6)
    assert note.path.read_text() == "1 6"
    note(6, 6)
    assert note.path.read_text() == "6 6"


def test_nobody_asks_nobody_is_told(tmp_path):
    with watch_steps(tmp_path, ["fold_0"], None):
        StepNote(tmp_path, "fold_0")(1, 1)


def test_epochs_of_other_processes_are_told_once(tmp_path):
    rows, told = [{"epoch": 1.0, "loss": 2.0}], []
    path = tmp_path / "fold_0.curve.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    with watch_steps(tmp_path, ["fold_0", "fold_1"], None, lambda *row: told.append(row)):
        pd.DataFrame([*rows, {"epoch": 2.0, "loss": 1.5}]).to_csv(path, index=False)
    assert told == [("fold_0", {"epoch": 2.0, "loss": 1.5})]
