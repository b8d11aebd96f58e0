"""What is committed: no foreign data, no large files."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
HOOKS = {
    hook["id"]: hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
}


@pytest.fixture(scope="module")
def committed() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def _refused(name):
    hook = HOOKS["no-foreign-data"]
    return bool(re.search(hook["files"], name)) and not re.search(hook["exclude"], name)


def test_no_foreign_data_is_committed(committed):
    assert [name for name in committed if _refused(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "ISIC_0000000.jpg",
        "data/sample/images/ISIC_0000000.jpg",
        "tests/io/IMD002.BMP",
        "tests/train.csv",
        "hybridlesion/cnn/other.safetensors",
    ],
)
def test_foreign_data_are_refused(name):
    assert _refused(name)


def test_only_the_shipped_weights_exceed_one_megabyte(committed):
    exempt = HOOKS["check-added-large-files"]["exclude"]
    large = [name for name in committed if (ROOT / name).stat().st_size > 1000 * 1024]
    assert [name for name in large if not re.search(exempt, name)] == []
    assert len(large) == 3


def test_the_workflow_tests_the_wheel_on_every_supported_python():
    workflow = ROOT / ".github" / "workflows" / "tests.yml"
    if not workflow.is_file():
        pytest.skip("not a git checkout")
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    assert jobs["networks"]["steps"][-1] == {"run": "make wheel-test-networks"}
    matrix = jobs["wheel"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    supported = re.findall(r"Python :: (3\.\d+)\n", "\n".join(project["classifiers"]) + "\n")
    assert matrix["python"] == supported
    assert matrix["include"] == [
        {"python": supported[0], "constraints": "constraints-lowest.txt"},
    ]
