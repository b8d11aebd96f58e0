"""Folders of fine-tuned networks: weights, metadata and lists of training images."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridlesion._atomic import atomic_path
from hybridlesion._onnx import read_weights
from hybridlesion.cnn.diagnosis import CLASSES, SCORE_COLUMNS
from hybridlesion.cnn.views import LESION_LIMITS, VIEWS, ImageView, InputSpec
from hybridlesion.exceptions import ArtifactError, SourceError
from hybridlesion.leakage import TrainingMembership

if TYPE_CHECKING:
    from torch import nn

# Networks of protocol 1 distinguish malignant from benign lesions, and networks of protocol 2
# distinguish the diagnoses in `CLASSES`.
PROTOCOL = 1

NOTE = "finetuned.json"
SEEN = "seen.npz"

_KIND = "hybridlesion-finetuned"
_SHARED = ("backbone", "networks", "image_size", "folds")
_NEEDED = {
    1: (*_SHARED, "crop", "margin"),
    2: (*_SHARED, "classes", "shares", "views", "mean", "std"),
}


@dataclass(frozen=True)
class Finetuned:
    """Contents of a folder of fine-tuned networks, or of its packed file.

    Parameters
    ----------
    note : dict
        Metadata with ``protocol``, ``backbone`` (name of a timm model, or a list with one name for
        each network), ``networks`` (names of the weight files),
        ``image_size`` and ``folds`` (whether there is one network for each fold, rather than
        networks trained on all images). Protocol 1 adds ``crop`` and ``margin``; protocol 2 adds
        ``classes``, ``shares`` (class frequencies in the target population), ``views`` (see
        `ImageView`), and ``mean`` and ``std`` (of pixels between 0 and 1).
    files : dict of str to bytes
        The note, the list of training images, and the weights, by file name.
    """

    note: dict[str, Any]
    files: dict[str, bytes]

    @classmethod
    def read(cls, path: str | os.PathLike) -> Finetuned:
        """Read a folder written by `hybridlesion finetune`, or the result of `pack`.

        Parameters
        ----------
        path : str or path-like
            Folder or packed file.

        Returns
        -------
        Finetuned
            Files needed to score images.

        Raises
        ------
        SourceError
            If the folder or file does not exist.
        ArtifactError
            If it cannot be read, is incomplete, or was written with another protocol.
        """
        root = Path(path)
        if not is_finetuned(root):
            raise SourceError(f"{root} has no {NOTE}; `hybridlesion finetune` writes one.")
        try:
            files = _container(root)
            note = _check_note(root, (files / NOTE).read_bytes())
            names = [NOTE, SEEN, *note["networks"]]
            return cls(note, {name: (files / name).read_bytes() for name in names})
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ArtifactError(f"{root} is incomplete or damaged: {error}.") from error

    @property
    def seen(self) -> TrainingMembership:
        """Training images."""
        return TrainingMembership.from_bytes(self.files[SEEN])

    @property
    def digest(self) -> str:
        """SHA-256 digest of the note, the list of training images and the weights."""
        total = hashlib.sha256()
        for name in sorted(self.files):
            total.update(hashlib.sha256(self.files[name]).digest())
        return total.hexdigest()

    def pack(self) -> bytes:
        """Pack the files into a zip archive that is reproducible to the last bit.

        Returns
        -------
        bytes
            Archive, which `read` accepts in place of the folder.
        """
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in sorted(self.files):
                archive.writestr(zipfile.ZipInfo(name), self.files[name])
        return buffer.getvalue()

    @property
    def backbones(self) -> list[str]:
        """Name of the timm model of each network."""
        names, count = self.note["backbone"], len(self.note["networks"])
        return [names] * count if isinstance(names, str) else list(names)

    @property
    def tells_diagnoses(self) -> bool:
        """Whether the networks distinguish the diagnoses in `CLASSES` (protocol 2)."""
        return self.note["protocol"] > 1

    @property
    def score_columns(self) -> tuple[str, ...]:
        """Score columns computed from the outputs of the networks."""
        return SCORE_COLUMNS if self.tells_diagnoses else SCORE_COLUMNS[:1]

    @property
    def views(self) -> tuple[ImageView, ...]:
        """Views of an image over which the outputs are averaged."""
        if self.tells_diagnoses:
            pairs = [(str(crop), float(extent)) for crop, extent in self.note["views"]]
            return tuple(ImageView(*pair, limits=LESION_LIMITS) for pair in pairs)
        extents = {"lesion": float(self.note["margin"]), "frame": 1.0}
        crops = VIEWS[self.note["crop"]]
        first, last = crops[0], crops[-1]
        return ImageView(first, extents[first]), ImageView(last, extents[last], mirrored=True)

    def spec(self, networks: list[nn.Module]) -> InputSpec:
        """Return the input specification of the networks.

        Parameters
        ----------
        networks : list of nn.Module
            Networks whose backbone configuration is used in protocol 1. Ignored in protocol 2, and
            may then be empty.

        Returns
        -------
        InputSpec
            Input of the networks.
        """
        side = int(self.note["image_size"])
        if self.tells_diagnoses:
            mean, std = (tuple(map(float, self.note[name])) for name in ("mean", "std"))
            return InputSpec((side, side), mean, std, 1.0, "center", "bilinear")
        from hybridlesion.cnn.network import input_spec

        return input_spec(networks[0], side)

    def embedding_width(self) -> int:
        """Return the length of the embedding of the first network.

        Returns
        -------
        int
            Number of inputs of its last layer.

        Raises
        ------
        ArtifactError
            If the networks do not distinguish diagnoses.
        """
        if not self.tells_diagnoses:
            raise ArtifactError(
                "these networks were fine-tuned by a version whose networks have no embedding. "
                "Fine-tune again, or use their scores alone."
            )
        state = read_weights(self.files[self.note["networks"][0]])
        # The classifier is the only matrix with a row for each diagnosis.
        (width,) = {w.shape[1] for w in state.values() if w.ndim == 2 and len(w) == len(CLASSES)}
        return width

    def networks(self) -> list[nn.Module]:
        """Build the networks with torch.

        Returns
        -------
        list of nn.Module
            Networks in evaluation mode and float32, on the CPU.

        Raises
        ------
        ArtifactError
            If the weights do not fit the backbone.
        """
        from hybridlesion.cnn.network import load_network_state

        n_classes = len(CLASSES) if self.tells_diagnoses else 0
        return [
            load_network_state(self.files[name], backbone, name, n_classes)
            for name, backbone in zip(self.note["networks"], self.backbones, strict=True)
        ]


def is_finetuned(path: str | os.PathLike) -> bool:
    """Check whether a path is a folder of fine-tuned networks, or a packed folder.

    Parameters
    ----------
    path : str or path-like
        Path to check.

    Returns
    -------
    bool
        True for a folder written by `hybridlesion finetune`, or its packed file.

    Examples
    --------
    >>> is_finetuned("mobilenetv2_100")
    False
    """
    return (_container(Path(path)) / NOTE).is_file()


def _container(path: Path) -> Path | zipfile.Path:
    return zipfile.Path(path) if path.suffix == ".zip" and zipfile.is_zipfile(path) else path


def note_bytes(facts: dict[str, object]) -> bytes:
    """Encode the metadata of weights.

    Parameters
    ----------
    facts : dict
        Metadata required by `Finetuned`, recipe and metrics; values must be JSON-serialisable.

    Returns
    -------
    bytes
        Encoded note, including its kind and protocol.
    """
    text = json.dumps({"kind": _KIND, "protocol": PROTOCOL} | facts, indent=1)
    return f"{text}\n".encode()


def write_note(folder: Path, facts: dict[str, object]) -> None:
    """Write the result of `note_bytes` to the note of a folder.

    Parameters
    ----------
    folder : Path
        Folder of fine-tuned networks.
    facts : dict
        Metadata required by `Finetuned`, recipe and metrics; values must be JSON-serialisable.
    """
    with atomic_path(folder / NOTE) as temporary:
        temporary.write_bytes(note_bytes(facts))


def _check_note(root: Path, text: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(text)
        kind, protocol = facts["kind"], facts["protocol"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{root / NOTE} cannot be read: {error}.") from error
    if kind != _KIND or protocol not in _NEEDED:
        raise ArtifactError(
            f"{root / NOTE} is of kind {kind!r}, protocol {protocol!r}; this version reads "
            f"{_KIND!r}, protocols {', '.join(map(str, _NEEDED))}. Fine-tune again, or update."
        )
    missing = [name for name in _NEEDED[protocol] if name not in facts]
    if missing:
        raise ArtifactError(f"{root / NOTE} lacks {', '.join(missing)}. Fine-tune again.")
    if not isinstance(facts["backbone"], str) and len(facts["backbone"]) != len(facts["networks"]):
        raise ArtifactError(f"{root / NOTE} must name one backbone, or one for each network.")
    if protocol > 1 and (facts["classes"] != list(CLASSES) or len(facts["shares"]) != len(CLASSES)):
        raise ArtifactError(
            f"{root / NOTE} lists other classes or shares than those of {', '.join(CLASSES)}."
        )
    return facts
