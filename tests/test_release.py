"""`make release` refuses an inconsistent version, and otherwise builds and tags."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
IDENTITY = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")

pytestmark = pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("git")), reason="needs make and git"
)


def _git(folder, *words):
    command = ["git", "-C", str(folder), *IDENTITY, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make a repository at version 1.2.0 whose Python only pretends to build."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester@localhost")
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name, text in {
        "hybridlesion/__init__.py": '__version__ = "1.2.0"\n',
        "CHANGELOG.md": "# Changelog\n\n## 1.2.0\n\n## 1.1.0\n",
        "CITATION.cff": "version: 1.2.0\n",
        "bin/python": "#!/bin/sh\nmkdir dist && echo $@ > dist/built\n",
        ".gitignore": "dist/\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bin" / "python").chmod(0o755)
    _git(tmp_path, "init", "--quiet")
    _commit(tmp_path)
    return tmp_path


def _commit(folder):
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", "A commit")


def _release(folder):
    command = ["make", "-C", str(folder), "release", "-o", "stamp", "STAMP=stamp", "BIN=bin"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_release_is_built_and_tagged(project):
    done = _release(project)
    assert done.returncode == 0, done.stderr
    assert (project / "dist" / "built").read_text() == "-m hatchling build -d dist\n"
    assert _git(project, "tag", "--list") == "v1.2.0\n"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## 1.1.0\n", "must be '## 1.2.0'"),
        ("CITATION.cff", "version: 1.1.0\n", "CITATION.cff must name version 1.2.0"),
    ],
)
def test_versions_that_differ_are_refused(project, name, text, reason):
    (project / name).write_text(text)
    _commit(project)
    done = _release(project)
    assert done.returncode != 0
    assert reason in done.stdout
    assert not (project / "dist").exists()


def test_uncommitted_changes_are_refused(project):
    (project / "new.py").write_text("")
    assert "uncommitted" in _release(project).stdout


def test_an_existing_tag_is_refused(project):
    _git(project, "tag", "v1.2.0")
    assert "The tag v1.2.0 exists" in _release(project).stdout
