"""``hybridlesion app`` serves the page until it is interrupted, then deletes what it kept."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

pytest.importorskip("fastapi")


def _get(address: str) -> str:
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(address) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_the_app_serves_until_it_is_interrupted(tmp_path):
    command = [sys.executable, "-m", "hybridlesion", "app", "--port", "0"]
    settings = {"env": os.environ | {"TMPDIR": str(tmp_path)}, "text": True}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **settings)
    try:
        address = process.stdout.readline().split()[1]
        assert address.startswith("http://127.0.0.1:")
        assert "<title>hybridlesion</title>" in _get(address)
        assert '"name":"the reference model"' in _get(f"{address}model")
        assert [path.name[:17] for path in tmp_path.iterdir()] == ["hybridlesion-app-"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
        process.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_refused(hybridlesion):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = hybridlesion("app", "--port", port)
    assert done.exit_code == 1
    assert f"port {port} is in use. Choose another --port." in done.stderr


@pytest.mark.parametrize(
    ("option", "partner"),
    [("--key", "MODEL"), ("--root", "--gallery"), ("--metadata", "--gallery")],
)
def test_options_without_their_partner_are_refused(hybridlesion, tmp_path, option, partner):
    done = hybridlesion("app", option, tmp_path)
    assert done.exit_code == 2
    assert option in done.stderr
    assert partner in done.stderr


def test_a_gallery_that_cannot_be_used_is_refused(hybridlesion, tmp_path):
    done = hybridlesion("app", "--gallery", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert "nowhere" in done.stderr
    assert hybridlesion("app", "--metadata", "a.csv").exit_code == 2


def test_the_server_starts_without_the_libraries_that_measure():
    code = (
        "import sys, hybridlesion.app._server; print({'sklearn', 'scipy.stats'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_file_that_is_no_model_is_refused(hybridlesion, tmp_path):
    (tmp_path / "notes.txt").write_text("Dear colleague")
    done = hybridlesion("app", tmp_path / "notes.txt")
    assert done.exit_code == 1
    assert "notes.txt" in done.stderr
