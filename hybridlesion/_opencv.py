"""The one place that imports OpenCV, with the cure for a machine without libGL."""

from __future__ import annotations

from hybridlesion.exceptions import MissingDependencyError

__all__ = ["cv2"]

try:
    import cv2
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        f"OpenCV could not be imported ({error}). Install it with: pip install opencv-python"
    ) from error
except ImportError as error:
    raise MissingDependencyError(
        f"OpenCV could not be imported ({error}). On a server without a screen, libGL is usually "
        "what is missing. Either install the build that does not need it:\n"
        "    pip uninstall -y opencv-python && pip install opencv-python-headless\n"
        "or the library itself, on Debian and Ubuntu:\n"
        "    apt-get install libgl1 libglib2.0-0"
    ) from error
