"""Write the reference model that ships, from a model that was fitted on feature tables.

Run with ``python docs/make_reference_model.py MODEL`` after a change of the shipped networks or of
the features. The networks are left out of the file, since the package contains them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hybridlesion import cnn
from hybridlesion.inference import REFERENCE_MODEL
from hybridlesion.persistence import load_artifact
from hybridlesion.persistence._artifact import Container, read_container, write_container
from hybridlesion.persistence._state import dumps_model
from hybridlesion.persistence._weights import _with_files
from hybridlesion.segmentation.refiner import SHIPPED_WEIGHTS


def main() -> None:
    """Refer to the shipped networks instead of storing them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="result of `hybridlesion fit`")
    path = parser.parse_args().model
    fitted = read_container(path)
    shipped = {cnn.Finetuned.read(cnn.SHIPPED).pack(), SHIPPED_WEIGHTS.read_bytes()}
    if set(fitted.files.values()) != shipped:
        raise SystemExit(f"{path} was fitted with other networks than those that ship.")
    model = _with_files(load_artifact(path), weights=None, segmenter="refined")
    settings = fitted.manifest["featurizer"] | {"weights": None, "segmenter": "refined"}
    manifest = fitted.manifest | {"featurizer": settings, "files": {}}
    write_container(REFERENCE_MODEL, Container(manifest, dumps_model(model), {}))


if __name__ == "__main__":
    main()
