"""Progress goes to standard error: lines elsewhere, a bar on a terminal."""

from __future__ import annotations

import io

import pytest

from hybridlesion.cli import _progress


class _Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def test_lines_come_every_ten_seconds_and_at_the_end(clock, capsys):
    with _progress.show_progress("measuring") as progress:
        for step in range(1, 31):
            clock.now += 1
            progress(10 * step, 2, 300)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 3
    assert lines[0] == "measuring: 100 of 300 (33 %), 2 failed, 10.0/s, 20 s left"
    assert lines[-1] == "measuring: 300 of 300 (100 %), 2 failed, 10.0/s"


def test_stages_are_named_in_turn_and_the_last_one_stays(clock, capsys):
    # The next stage may begin further on, if it continues an interrupted run.
    reports = [(1, 0, 2), (2, 0, 2), (30, 0, 90), (90, 0, 90), (1, 0, 90)]
    with _progress.show_progress("reading images", "training, in steps") as progress:
        for report in reports:
            clock.now += 10
            progress(*report)
    assert capsys.readouterr().err.splitlines() == [
        "reading images: 1 of 2 (50 %)",
        "reading images: 2 of 2 (100 %), 0.1/s",
        "training, in steps: 30 of 90 (33 %)",
        "training, in steps: 90 of 90 (100 %), 6.0/s",
        "training, in steps: 1 of 90 (1 %)",
    ]


def test_rate_leaves_out_what_an_interrupted_run_had_done(clock, capsys):
    with _progress.show_progress("measuring") as progress:
        clock.now += 5
        progress(5000, 0, 6000)
        clock.now += 10
        progress(5100, 0, 6000)
    assert "10.0/s, 1 min 30 s left" in capsys.readouterr().err


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    with _progress.show_progress("measuring") as progress:
        progress(3, 1, 9)
    with _progress.show_progress("reading images", "training, in steps") as progress:
        progress(3, 1, 9)
        progress(4, 1, 12)
    assert "training, in steps" in terminal.getvalue()
    assert "3/9" in terminal.getvalue()
    assert "1 failed" in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")],
)
def test_durations_in_words(seconds, words):
    assert _progress.duration(seconds) == words
