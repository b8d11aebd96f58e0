"""Weight files that are too large to travel inside: beside the model file, under their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from hybridlesion._atomic import atomic_path
from hybridlesion.exceptions import ArtifactError
from hybridlesion.persistence._weights import check_file_name

__all__ = ["LARGEST_INSIDE", "gather_files", "put_beside"]

# A file is read whole to check its digest: a model of gigabytes would be slow to inspect.
LARGEST_INSIDE = 256 << 20


def put_beside(path: Path, files: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Write the large files of a model beside it.

    Parameters
    ----------
    path : Path
        The model file to come.
    files : mapping of str to bytes
        The files of the model.

    Returns
    -------
    inside : dict of str to bytes
        Files that stay inside.
    beside : dict of str to str
        Name of the file in the folder of `path`, by the name that the model knows.
    """
    inside, beside = {}, {}
    for name, data in files.items():
        if len(data) <= LARGEST_INSIDE:
            inside[name] = data
            continue
        beside[name] = f"{path.stem}.{name}"
        digest = hashlib.sha256(data).hexdigest()
        if _digest(path.with_name(beside[name])) not in (None, digest):
            # Whatever it is, another model or a user may need it.
            beside[name] = f"{path.stem}.{digest[:16]}.{name}"
        with atomic_path(path.with_name(beside[name])) as temporary:
            temporary.write_bytes(data)
    return inside, beside


def _digest(path: Path) -> str | None:
    """SHA-256 of a file; None if there is none."""
    if not path.exists():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def gather_files(
    path: Path, inside: Mapping[str, bytes], described: Mapping[str, object]
) -> dict[str, bytes]:
    """Bring the files of a model together, each checked where it lies outside.

    Parameters
    ----------
    path : Path
        The model file.
    inside : mapping of str to bytes
        Files that it carries.
    described : mapping of str to object
        What its manifest says of all files.

    Returns
    -------
    dict of str to bytes
        All files by the names that the model knows.

    Raises
    ------
    ArtifactError
        If a file beside it is missing or another one.
    """
    files = {check_file_name(name): data for name, data in inside.items()}
    for name, facts in described.items():
        if not isinstance(facts, Mapping) or "beside" not in facts:
            continue
        file = path.with_name(check_file_name(facts["beside"]))
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ArtifactError(
                f"{path} needs {file.name} in the same folder ({error.strerror}): its weights are "
                "too large to travel inside. Copy both."
            ) from error
        if hashlib.sha256(data).hexdigest() != facts.get("sha256"):
            raise ArtifactError(f"{file} is not the weight file that {path} was saved with.")
        files[check_file_name(name)] = data
    return files
