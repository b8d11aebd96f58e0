"""Calibrated malignancy scores from dermoscopic images and ISIC metadata.

Segmentation yields a mask, on which ABCD features are measured; a fine-tuned network scores the
image, and LightGBM combines both with age, sex and site. Research software, not a medical device.

Examples
--------
>>> from hybridlesion import make_hybrid_pipeline
>>> make_hybrid_pipeline().named_steps.keys()
dict_keys(['features', 'model'])
"""

from __future__ import annotations

import importlib

from hybridlesion import _former_names

__version__ = "0.2.0"

# Module of each public name. Names are imported on first use, which keeps `import hybridlesion`
# and the start of every command fast.
_HOMES = {
    "HybridLesionClassifier": "hybridlesion.model",
    "HybridLesionError": "hybridlesion.exceptions",
    "LesionFeaturizer": "hybridlesion.featurizer",
    "TimmEmbedder": "hybridlesion.cnn",
    "abcd": "hybridlesion.features",
    "check_data": "hybridlesion.batch",
    "evaluate": "hybridlesion.metrics",
    "extract_features": "hybridlesion.batch",
    "list_images": "hybridlesion.io",
    "load_artifact": "hybridlesion.persistence",
    "make_hybrid_pipeline": "hybridlesion.pipeline",
    "make_lesions": "hybridlesion.datasets",
    "read_image": "hybridlesion.io",
    "read_records": "hybridlesion.metadata",
    "save_artifact": "hybridlesion.persistence",
    "segment": "hybridlesion.segmentation",
}

__all__ = ["__version__", *_HOMES]


_former_names.install()


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hybridlesion' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
