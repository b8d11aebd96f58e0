"""The wheel and the source distribution are complete."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

from hybridlesion import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FITTED = re.findall(r"^    (hybridlesion/\S+)$", (ROOT / "LICENSE-WEIGHTS.txt").read_text(), re.M)
DOCUMENTS = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"}
BUILDING = {"CITATION.cff", "Makefile", "constraints.txt", "hatch_build.py", "pyproject.toml"}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    environment.pop("HYBRIDLESION_REPOSITORY", None)
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist_names(built) -> set[str]:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def _package_files():
    paths = (ROOT / "hybridlesion").rglob("*")
    return {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    info = f"hybridlesion-{__version__}.dist-info/"
    names = {name for name in wheel.namelist() if not name.startswith(info)}
    assert names == _package_files()
    assert {"hybridlesion/py.typed", "hybridlesion/cnn/CARD.md", *FITTED} <= names


def test_the_wheel_holds_the_licences(wheel):
    folder = f"hybridlesion-{__version__}.dist-info/licenses"
    for name in PROJECT["license-files"]:
        assert wheel.read(f"{folder}/{name}") == (ROOT / name).read_bytes()


def test_the_metadata_of_the_wheel(wheel):
    metadata = message_from_bytes(wheel.read(f"hybridlesion-{__version__}.dist-info/METADATA"))
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT AND CC-BY-NC-4.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Programming Language :: Python :: 3.11" in metadata.get_all("Classifier")
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])


def test_the_description_has_no_link_that_only_works_in_the_repository(wheel):
    metadata = message_from_bytes(wheel.read(f"hybridlesion-{__version__}.dist-info/METADATA"))
    assert metadata["Project-URL"] is None
    text = metadata.get_payload(decode=True).decode()
    assert text.startswith("# hybridlesion")
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if link[0] != "#"] == []


def test_links_of_the_description_lead_to_the_repository():
    module = runpy.run_path(str(ROOT / "hatch_build.py"))
    text = "![P](docs/p.png) [b](docs/b.md#c), [d](#d) and [e](https://e.example)"
    assert module["adapt_links"](text, "https://host.example/o/h", "1.0.0") == (
        "![P](https://host.example/o/h/raw/v1.0.0/docs/p.png) "
        "[b](https://host.example/o/h/blob/v1.0.0/docs/b.md#c), [d](#d) and [e](https://e.example)"
    )
    assert module["adapt_links"](text, "", "1.0.0") == " b, [d](#d) and [e](https://e.example)"


def test_the_source_distribution_holds_all_that_the_tests_need(sdist_names):
    assert {*DOCUMENTS, *PROJECT["license-files"], *BUILDING} <= sdist_names
    assert _package_files() <= sdist_names
    for folder in ("tests", "docs", "data", "pipelines", "benchmarks"):
        names = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert {name for name in names if not name.startswith("docs/gallery/")} <= sdist_names
    assert not {name for name in sdist_names if name.startswith(("docs/gallery/", "docs/api/"))}
    assert "data/sample/metadata.csv" in sdist_names
    assert not {name for name in sdist_names if name.startswith((".ci/", ".github/", "build/"))}


def test_the_lowest_versions_are_the_bounds_of_the_dependencies():
    text = (ROOT / "constraints-lowest.txt").read_text()
    lowest = dict(re.findall(r"^([\w-]+)==(\S+)$", text, re.MULTILINE))
    bounds = dict(one.split(">=") for one in PROJECT["dependencies"])
    assert set(bounds) == set(lowest)
    for name, version in lowest.items():
        assert f"{version}.".startswith(f"{bounds[name]}."), name


COMPILE = """
import pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob("*.py"):
    compile(path.read_bytes(), str(path), "exec")
"""


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_the_package_compiles_without_warnings_on(version):
    python = shutil.which(f"python{version}")
    # A launcher of several versions may be there without this one.
    if python is None or subprocess.run([python, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"no Python {version}")
    command = [python, "-W", "error", "-c", COMPILE, str(ROOT / "hybridlesion")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_fitted_files_of_other_licence_exist():
    assert len(FITTED) == 7
    assert [name for name in FITTED if not (ROOT / name).is_file()] == []


def test_the_conda_recipe_has_the_version_and_the_bounds_of_the_package():
    recipe = yaml.safe_load((ROOT / "packaging" / "recipe.yaml").read_text())
    assert recipe["context"]["version"] == __version__
    names = {"opencv-python": "py-opencv", "torch": "pytorch", "matplotlib": "matplotlib-base"}
    wanted = {"python": PROJECT["requires-python"].removeprefix(">=")}
    wanted |= dict(one.split(">=") for one in PROJECT["dependencies"])
    found = dict(one.split(" >=") for one in recipe["requirements"]["run"])
    assert found == {names.get(name, name): version for name, version in wanted.items()}
    assert recipe["about"]["license_file"] == PROJECT["license-files"]
