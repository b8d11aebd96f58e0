"""Data set that is checked: its photographs in an archive, and its tables."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from zipfile import ZipFile, ZipInfo

from fastapi import HTTPException, UploadFile
from pydantic import BaseModel, Field

from hybridlesion._formatting import printable
from hybridlesion.exceptions import HybridLesionError, TableError
from hybridlesion.io import is_table_name
from hybridlesion.metadata import Role, write_mapping

_MOST_FILES, _MOST_BYTES = 5_000, 20_000_000_000
_LONGEST_NAME = 400

Words = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=500)]
Column = Annotated[str, Field(max_length=1000)]


class CheckOptions(BaseModel):
    """How the tables of a data set are read; what is left out is detected.

    Parameters
    ----------
    columns : dict of Role to str, default={}
        Column of the tables for a field, such as ``{"age": "Alter"}``.
    malignant, benign : list of str, default=[]
        Diagnoses that count as malignant, and further words that count as benign.
    labels_from_folders : bool, default=False
        Whether the folder of a photograph is its label.
    """

    columns: dict[Role, Column] = {}
    malignant: Words = []
    benign: Words = []
    labels_from_folders: bool = False


class TableRefusal(Exception):
    """Tables of a data set cannot be read.

    Parameters
    ----------
    content : dict
        ``detail``, the reason, and ``columns``, how the columns were read, as in `DataCheck`.
    """

    def __init__(self, content: dict[str, Any]):
        super().__init__(content["detail"])
        self.content = content


class DataSet:
    """Photographs and tables that a client sent.

    Parameters
    ----------
    folder : Path
        Existing private folder.

    Notes
    -----
    Image ids and labels may come from names of files and folders. Those of photographs are names
    in one archive, and tables are stored under random names, so that none becomes a path.
    """

    def __init__(self, folder: Path):
        self.folder, self.archive = folder, folder / "photographs.zip"
        self.photographs: set[str] = set()
        self.tables: dict[str, Path] = {}
        self._lock = threading.Lock()

    def add(self, files: Sequence[UploadFile]) -> dict[str, int]:
        """Store files; a table replaces the one of the same name.

        Parameters
        ----------
        files : sequence of UploadFile
            Photographs, tables and other files, of which the check counts those that are neither.

        Returns
        -------
        dict of str to int
            Numbers of stored files, as ``n_files`` and ``n_tables``.

        Raises
        ------
        HTTPException
            With status 409 if the data set is too large.
        """
        stored = [self.archive, *self.tables.values()]
        size = sum(path.stat().st_size for path in stored if path.exists())
        if len(self.photographs) + len(files) > _MOST_FILES or size > _MOST_BYTES:
            most = f"{_MOST_FILES:,} photographs or {_MOST_BYTES / 1e9:.0f} GB"
            raise HTTPException(409, f"more than {most}. Use the command `hybridlesion check`.")
        with self._lock, ZipFile(self.archive, "a") as archive:
            for file in files:
                name = _relative_name(file)
                if is_table_name(name):
                    suffix = Path(name).suffix.lower().partition("#")[0]
                    own = self.folder / f"{secrets.token_hex(8)}{suffix}"
                    with self.tables.setdefault(name, own).open("wb") as stream:
                        shutil.copyfileobj(file.file, stream)
                elif name not in self.photographs:
                    with archive.open(ZipInfo(name), "w", force_zip64=True) as member:
                        shutil.copyfileobj(file.file, member)
                    self.photographs.add(name)
        return {"n_files": len(self.photographs), "n_tables": len(self.tables)}

    def check(self, options: CheckOptions) -> dict[str, Any]:
        """Check the photographs and tables.

        Parameters
        ----------
        options : CheckOptions
            How the tables are read.

        Returns
        -------
        dict of str to object
            `DataCheck.to_dict`, with ``mapping_toml`` (content of a mapping file), ``photographs``
            (the folder that holds all photographs, or ".") and ``tables`` (their names).

        Raises
        ------
        HTTPException
            With status 422 if there are no photographs, or they cannot be read.
        TableRefusal
            If the tables cannot be read.
        """
        if not self.photographs:
            raise HTTPException(422, "there are no photographs. Add them, or their folder.")
        words = options.model_dump(mode="json")
        given = {name: value or None for name, value in words.items()}
        given["labels_from_folders"] = options.labels_from_folders
        mapping, tables = self.folder / "mapping.toml", list(self.tables.values())
        # Imported here so that the page appears before the libraries that measure are there.
        from hybridlesion.batch import check_data, describe_columns

        with self._lock:
            try:
                found = check_data(self.archive, tables, **given)
            except TableError as error:
                columns = describe_columns(error.uses, tables).to_dict("records")
                raise TableRefusal(
                    self._show({"detail": str(error), "columns": columns})
                ) from error
            except HybridLesionError as error:
                raise HTTPException(422, self._show(str(error))) from error
            write_mapping(mapping, found.mapping)
        facts = self._show(found.to_dict())
        folders = {name.partition("/")[0] if "/" in name else "." for name in self.photographs}
        return facts | {
            "mapping_toml": mapping.read_text(encoding="utf-8"),
            "photographs": folders.pop() if len(folders) == 1 else ".",
            "tables": list(self.tables),
        }

    def _show(self, facts: Any) -> Any:
        """Replace private paths in texts by the names that the client knows."""
        names = {f"::{self.archive}": "", "zip://": "", str(self.archive): "the photographs"}
        for name, path in self.tables.items():
            names |= {str(path): name, path.name: name}
        text = json.dumps(facts)
        for path, name in names.items():
            text = text.replace(path, json.dumps(name)[1:-1])
        # NaN, for which JSON has no notation, is a constant.
        return json.loads(text, parse_constant=lambda _: None)


def _relative_name(file: UploadFile) -> str:
    """Name of a file in the folder that a client dropped."""
    parts = re.split(r"[\\/]+", printable(file.filename or "").replace("\n", " "))
    kept = [part for part in parts if part not in ("", ".", "..")]
    return "/".join(kept)[-_LONGEST_NAME:] or "unnamed"
