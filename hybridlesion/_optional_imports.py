"""Import of heavy or optional libraries, with errors that say what to install."""

from __future__ import annotations

import importlib
from types import ModuleType

from hybridlesion.exceptions import MissingDependencyError


def import_optional(name: str, *, feature: str, install: str) -> ModuleType:
    """Import a library that only one feature requires.

    Parameters
    ----------
    name : str
        The module to import, for example ``"h5py"``.
    feature : str
        What the library is needed for, for example ``"reading HDF5 image files"``.
    install : str
        Argument of ``pip install``, for example ``"hybridlesion[hdf5]"``.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingDependencyError
        If the module is missing; the message names the feature and the package.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"{feature} needs the library {name!r}, which could not be imported ({error}). "
            f'Install it with: pip install "{install}"'
        ) from error


def import_timm() -> ModuleType:
    """Import timm, even if torch is CPU-only and torchvision was built for CUDA.

    Returns
    -------
    module
        The module timm.

    Raises
    ------
    MissingDependencyError
        If timm or torch is missing, or broken in another way.
    """
    try:
        try:
            return importlib.import_module("timm")
        except RuntimeError as error:
            if "torchvision::nms does not exist" not in str(error):
                raise
            _declare_torchvision_operators()
            return importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            f"CNN embeddings need timm and torch, which could not be imported ({error}). "
            'Install them with: pip install "timm>=1.0.9" torch'
        ) from error


# Declarations of operators live as long as their library object.
_libraries: list[object] = []


def _declare_torchvision_operators() -> None:
    """Declare the two operators that torchvision's Python code expects to exist.

    With a CPU-only torch, a torchvision built for CUDA cannot load its compiled part and then
    fails to register shape rules for undeclared operators. timm calls neither operator, so a
    declaration without a kernel is enough.
    """
    import sys

    import torch

    for name in [key for key in sys.modules if key.split(".")[0] in ("torchvision", "timm")]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


try:
    import cv2  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        f"OpenCV could not be imported ({error}). Install it with: pip install opencv-python"
    ) from error
except ImportError as error:
    raise MissingDependencyError(
        f"OpenCV could not be imported ({error}). On a server without a display, libGL is usually "
        "missing. Either install the build that does not need it:\n"
        "    pip uninstall -y opencv-python && pip install opencv-python-headless\n"
        "or the library itself, on Debian and Ubuntu:\n"
        "    apt-get install libgl1 libglib2.0-0"
    ) from error
