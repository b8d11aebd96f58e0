"""Results of a fine-tuning: out-of-fold scores, learning curves, model card."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path, check_apart, check_writable
from hybridlesion.cnn import NOTE, SEEN, Finetuned, note_bytes, write_note
from hybridlesion.exceptions import SourceError
from hybridlesion.leakage import TrainingMembership
from hybridlesion.metrics import evaluate
from hybridlesion.training._crops import CropSettings
from hybridlesion.training._finetune_folds import FoldWork
from hybridlesion.training._image_training import digest_ids

_TEXT = """# Fine-tuned {backbone}: model card

**Purpose.** Ranks photographs of skin lesions by likelihood of malignancy, as one feature among
others. Research software, not a medical device. The score is not a calibrated probability, since
malignant lesions were oversampled.

**Network.** {networks} of `{backbone}`, weights in half precision; the view is {view} of
{image_size} by {image_size} pixels.

**Data.** {n_images:,} images, {n_malignant:,} malignant, from {n_sources}. Images of one
patient or lesion, and near-duplicates, share a fold. SHA-256 of the sorted ids:
`{image_ids_sha256}`. `seen.npz` contains hashes of the ids and a 256-bit perceptual hash of each
image, by which the package recognises training images.

**Licence of the weights.** That of the images: weights learned from images for non-commercial
use are for non-commercial use.

**Performance.** Out-of-fold scores, with 95 % intervals over patients or lesions.

| images | number | malignant | AUC | interval |
|---|---|---|---|---|
{rows}

**Recipe.** {recipe}.

**Limitations.** Performance is lower on images from other cameras, lighting or skin types than
those in the training data. Ink, rulers and dark corners can mislead the network.
"""

_VIEWS = {
    "lesion": "the lesion",
    "frame": "the frame",
    "both": "the lesion and then the frame, the mean of both,",
}


def write_finetune_card(folder: Path, note: Mapping[str, Any]) -> Path:
    """Write ``CARD.md`` from the note of a fine-tuned folder.

    Parameters
    ----------
    folder : Path
        The folder.
    note : mapping
        Content of ``finetuned.json``.

    Returns
    -------
    Path
        The card.
    """
    count, figures = len(note["networks"]), note["figures"]
    n_sources = sum(figure["images"] != "all" for figure in figures)
    text = _TEXT.format_map(
        {
            **note,
            "networks": f"{count} networks, one for each fold,"
            if note["folds"]
            else f"{count} network(s)",
            "view": _VIEWS[note["crop"]],
            "n_sources": "one collection" if n_sources == 1 else f"{n_sources} collections",
            "rows": "\n".join(map(_row, figures)),
            "recipe": ", ".join(f"{name} {value}" for name, value in note["recipe"].items()),
        }
    )
    path = folder / "CARD.md"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _row(figure: Mapping[str, Any]) -> str:
    numbers = f"{figure['n']:,} | {figure['malignant']:,}"
    if figure["auc"] is None:
        return f"| {figure['images']} | {numbers} | one class only | |"
    interval = f"{figure['low']:.3f} to {figure['high']:.3f}"
    return f"| {figure['images']} | {numbers} | {figure['auc']:.3f} | {interval} |"


# Files that identify a result; one fold stands for all.
_FILES = (
    *(NOTE, SEEN, "CARD.md", "out_of_fold.csv", "curves.csv", "curves.png"),
    *("fold_0.safetensors", "whole.safetensors", "whole.zip"),
)


def check_results(out: Path, inputs: Sequence[str | os.PathLike | None]) -> None:
    """Check, before long work, that the results can be written and replace nothing.

    Parameters
    ----------
    out : Path
        The folder.
    inputs : sequence of str, path-like or None
        Input files.

    Raises
    ------
    SourceError
        If the folder cannot be written, or contains an input or other files with the names of
        the results.
    """
    check_writable(out / NOTE)
    check_apart([out / name for name in _FILES], inputs)
    if (out / NOTE).exists():
        return
    # An interrupted fine-tuning leaves only its run directory.
    other = [name for name in _FILES if (out / name).exists() and not (out / "training").exists()]
    if other:
        raise SourceError(
            f"{out} holds {other[0]}, which would be replaced, and no {NOTE} of an earlier "
            "fine-tuning. Choose a new folder."
        )


def write_results(
    out: Path,
    records: pd.DataFrame,
    folds: FoldWork,
    odds: np.ndarray,
    hashes: np.ndarray,
    settings: CropSettings,
    sources: Sequence[str],
) -> pd.DataFrame:
    """Write the scores, curves, training membership, note and card.

    Parameters
    ----------
    out : Path
        The folder.
    records : DataFrame of shape (n, columns)
        Training records.
    folds : FoldWork
        Data and settings of the training.
    odds : ndarray of shape (n,), float
        Out-of-fold log odds.
    hashes : ndarray of shape (n, 32), uint8
        Perceptual hashes of the images.
    settings : CropSettings
        Settings of the crops.
    sources : sequence of str
        Paths of the sources, in the order of their numbers.

    Returns
    -------
    DataFrame
        Columns metric, value, low, high: metrics of all out-of-fold scores.
    """
    names = _name_sources(sources)
    score = 1 / (1 + np.exp(-odds.astype(float)))
    bonds = [name for name in ("patient_id", "lesion_id") if name in records]
    table = records[["image_id", *bonds, "target", "source"]].assign(
        fold=folds.fold, cnn__score=score
    )
    with atomic_path(out / "out_of_fold.csv") as temporary:
        table.to_csv(temporary, index=False)
    n_folds = int(folds.fold.max()) + 1
    curves = [pd.read_csv(folds.folder / f"fold_{k}.curve.csv") for k in range(n_folds)]
    with atomic_path(out / "curves.csv") as temporary:
        pd.concat(curves).to_csv(temporary, index=False)
    metrics = _measure(folds.target, score, folds.group)
    with atomic_path(out / SEEN) as temporary:
        temporary.write_bytes(TrainingMembership.of(records, folds.fold, odds, hashes).to_bytes())
    note = {
        "backbone": folds.backbone,
        "networks": [f"fold_{k}.safetensors" for k in range(n_folds)],
        "folds": True,
        "image_size": folds.recipe.image_size,
        "crop": settings.crop,
        "margin": settings.margin,
        "n_images": len(records),
        "n_malignant": int(folds.target.sum()),
        "image_ids_sha256": digest_ids(records["image_id"]),
        "recipe": asdict(folds.recipe),
        "figures": _figures(folds, score, names),
    }
    write_note(out, note)
    write_finetune_card(out, note)
    return metrics


def write_whole(out: Path) -> Path:
    """Pack the network of all images, with the out-of-fold scores of its training images.

    Parameters
    ----------
    out : Path
        A finished folder, with ``whole.safetensors`` in it.

    Returns
    -------
    Path
        ``whole.zip``, which is used like the folder.
    """
    tuned = Finetuned.read(out)
    note = tuned.note | {"networks": ["whole.safetensors"], "folds": False}
    files = {
        NOTE: note_bytes(note),
        SEEN: tuned.files[SEEN],
        "whole.safetensors": (out / "whole.safetensors").read_bytes(),
    }
    path = out / "whole.zip"
    with atomic_path(path) as temporary:
        temporary.write_bytes(Finetuned(note, files).pack())
    return path


def _measure(target: np.ndarray, score: np.ndarray, group: np.ndarray) -> pd.DataFrame:
    metrics = evaluate(target, score, groups=group)
    return metrics[metrics["metric"].isin(("auc", "average_precision", "pauc"))]


def _figures(folds: FoldWork, score: np.ndarray, sources: Sequence[str]) -> list[dict]:
    """Compute the AUC of each source and of all images; None where there is only one class."""
    figures = []
    for number, name in [*enumerate(sources), (None, "all")]:
        rows = np.full(len(score), True) if number is None else folds.source == number
        n_rows, n_malignant = int(rows.sum()), int(folds.target[rows].sum())
        figure: dict[str, Any] = {"images": name, "n": n_rows, "malignant": n_malignant}
        figure |= dict.fromkeys(("auc", "low", "high"))
        if 0 < n_malignant < n_rows:
            metrics = _measure(folds.target[rows], score[rows], folds.group[rows])
            auc = metrics.set_index("metric").loc["auc", ["value", "low", "high"]]
            figure |= zip(("auc", "low", "high"), map(_plain, auc), strict=True)
        figures.append(figure)
    return figures if len(sources) > 1 else figures[:1]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _name_sources(sources: Sequence[str]) -> list[str]:
    """Name each source by the shortest end of its path that is unique."""
    parts = [Path(source).parts or (source,) for source in sources]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(source) for source in sources]
