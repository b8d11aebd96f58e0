"""OpenCV that cannot be imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

NO_LIBGL = "libGL.so.1: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("failing_import", "cure"),
    [
        (f'raise ImportError("{NO_LIBGL}")', "opencv-python-headless"),
        ("raise ModuleNotFoundError(\"No module named 'cv2'\")", "pip install opencv-python"),
    ],
)
def test_a_failing_import_names_the_cure(tmp_path, failing_import, cure):
    (tmp_path / "cv2.py").write_text(failing_import)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "try:\n    import hybridlesion.io\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingDependencyError OpenCV could not be imported")
    assert cure in done.stdout
