"""Results of a fine-tuning run: out-of-fold scores, learning curves and a model card."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion import cnn
from hybridlesion._atomic import check_apart, check_writable
from hybridlesion._optional_imports import import_timm
from hybridlesion.exceptions import SourceError
from hybridlesion.leakage import TrainingMembership
from hybridlesion.metrics import evaluate
from hybridlesion.training._finetune_folds import FoldWork
from hybridlesion.training._image_training import digest_ids, write_file

_TEXT = """# Fine-tuned {backbone}: model card

**Purpose.** Tells eight diagnoses of skin lesions apart on dermoscopic images, and from them scores
melanoma and any malignancy, as features among others. Research software, not a medical device. The
scores are not calibrated probabilities.

**Network.** {networks} of `{backbone}`, weights in half precision. Its eight logits are the mean
over {views}, each of {image_size} by {image_size} pixels.
The scores assume these class frequencies: {frequencies}.

**Data.** {n_images:,} images, {n_malignant:,} malignant, from {n_sources}. Images of one
patient or lesion, and near-duplicates, share a fold. SHA-256 of the sorted ids:
`{image_ids_sha256}`. `seen.npz` contains hashes of the ids and a 256-bit perceptual hash of each
image, by which the package recognises training images.

**Licence of the weights.** That of the images: weights learned from images for non-commercial
use are for non-commercial use.

**Performance.** Out-of-fold scores, with 95 % intervals over patients or lesions. Any malignancy is
melanoma, basal cell or squamous cell carcinoma; images of actinic keratosis are left out of it.
Balanced accuracy is the mean recall of the diagnoses that occur, at equal class frequencies.

| images | measure | number | positive | value | interval |
|---|---|---|---|---|---|
{rows}

**Recipe.** {recipe}.

**Limitations.** Performance is lower on images from other cameras, lighting or skin types than
those in the training data. Ink, rulers and dark corners can mislead the network.
"""


def _fill_card(note: Mapping[str, Any]) -> str:
    """Return the text of ``CARD.md`` for the note of a fine-tuned folder."""
    n_sources = len({figure["images"] for figure in note["figures"]} - {"all"})
    shares = zip(note["classes"], note["shares"], strict=True)
    words = {
        "networks": f"{len(note['networks'])} networks, one for each fold,",
        "frequencies": ", ".join(f"{share:g} {name}" for name, share in shares),
        "views": ", ".join(_describe_view(*view) for view in note["views"]),
        "n_sources": "one collection" if n_sources == 1 else f"{n_sources} collections",
        "rows": "\n".join(map(_row, note["figures"])),
        "recipe": ", ".join(f"{name} {value}" for name, value in note["recipe"].items()),
    }
    return _TEXT.format_map({**note, **words})


def _describe_view(crop: str, number: float) -> str:
    if crop == "frame":
        return f"the frame ({100 * number:.0f} % of its short side)"
    return f"the lesion with {100 * number:.0f} % of its length on each side"


def _row(figure: Mapping[str, Any]) -> str:
    positive = "" if figure["positive"] is None else f"{figure['positive']:,}"
    value = "one class only" if figure["value"] is None else f"{figure['value']:.3f}"
    interval = "" if figure["low"] is None else f"{figure['low']:.3f} to {figure['high']:.3f}"
    cells = [figure["images"], figure["measure"], f"{figure['n']:,}", positive, value, interval]
    return f"| {' | '.join(cells)} |"


# Files by which results are recognised; the first fold represents all folds.
_FILES = (
    *(cnn.NOTE, cnn.SEEN, "CARD.md", "out_of_fold.csv", "curves.csv", "curves.png"),
    *("fold_0.safetensors", "whole.safetensors", "whole.zip"),
)


def check_results(out: Path, inputs: Sequence[str | os.PathLike | None]) -> None:
    """Check, before a long run, that the results can be written without replacing other files.

    Parameters
    ----------
    out : Path
        Output folder.
    inputs : sequence of str, path-like or None
        Input files.

    Raises
    ------
    SourceError
        If the folder cannot be written, or contains an input or unrelated files with the names
        of the results.
    """
    check_writable(out / cnn.NOTE)
    check_apart([out / name for name in _FILES], inputs)
    if (out / cnn.NOTE).exists():
        return
    # An interrupted run leaves only its run directory.
    other = [name for name in _FILES if (out / name).exists() and not (out / "training").exists()]
    if other:
        raise SourceError(
            f"{out} has {other[0]}, which would be replaced, but no {cnn.NOTE} of an earlier "
            "fine-tuning. Choose a new folder."
        )


def write_results(
    out: Path,
    records: pd.DataFrame,
    folds: FoldWork,
    logits: np.ndarray,
    hashes: np.ndarray,
    sources: Sequence[str],
) -> pd.DataFrame:
    """Write the scores, curves, training membership, note and card.

    Parameters
    ----------
    out : Path
        Output folder.
    records : DataFrame of shape (n, columns)
        Training records.
    folds : FoldWork
        Data and settings of the training.
    logits : ndarray of shape (n, 8), float
        Out-of-fold logits.
    hashes : ndarray of shape (n, 32), uint8
        Perceptual hashes of the images.
    sources : sequence of str
        Paths of the sources, in order of source number.

    Returns
    -------
    DataFrame
        Metrics for all out-of-fold scores, with columns metric, value, low and high.
    """
    names = name_sources(sources)
    facts = [name for name in ("patient_id", "lesion_id", "diagnosis") if name in records]
    table = records[["image_id", *facts, "target", "source"]].assign(fold=folds.fold)
    table[list(cnn.SCORE_COLUMNS)] = cnn.class_scores(logits, cnn.CLASS_SHARES)
    write_file(out / "out_of_fold.csv", table.to_csv(index=False))
    n_folds = int(folds.fold.max()) + 1
    _write_curves(out, folds.folder, n_folds, names)
    figures, metrics = _measure_all(folds, logits, table, names)
    seen = TrainingMembership.of(records, folds.fold, logits, hashes)
    write_file(out / cnn.SEEN, seen.to_bytes())
    note = {
        "protocol": 2,
        "backbone": folds.backbone,
        "networks": [f"fold_{k}.safetensors" for k in range(n_folds)],
        "folds": True,
        "image_size": folds.recipe.scored_size,
        "classes": list(cnn.CLASSES),
        "shares": cnn.CLASS_SHARES,
        "views": cnn.SCORED_VIEWS,
        **_normalisation(folds.backbone),
        "n_images": len(records),
        "n_malignant": int((cnn.truths(folds.allowed)["any malignancy"] == 1).sum()),
        "image_ids_sha256": digest_ids(records["image_id"]),
        "recipe": asdict(folds.recipe),
        "figures": figures,
    }
    cnn.write_note(out, note)
    write_file(out / "CARD.md", _fill_card(note))
    return metrics


def _write_curves(out: Path, folder: Path, n_folds: int, sources: Sequence[str]) -> None:
    """Write the learning curves of all folds, with source numbers replaced by names."""
    curves = pd.concat([pd.read_csv(folder / f"fold_{k}.curve.csv") for k in range(n_folds)])

    named = curves.rename(columns=partial(name_curve, sources=sources))
    write_file(out / "curves.csv", named.to_csv(index=False))


def name_curve(column: str, sources: Sequence[str]) -> str:
    """Replace the number of a source in a column of a learning curve.

    Parameters
    ----------
    column : str
        Column, such as ``melanoma_0`` or ``loss``.
    sources : sequence of str
        Names of the sources.

    Returns
    -------
    str
        Column with the name of the source.

    Examples
    --------
    >>> name_curve("melanoma_0", ["ham10000"]), name_curve("loss", ["ham10000"])
    ('melanoma AUC, ham10000', 'loss')
    """
    measure, _, number = column.rpartition("_")
    return f"{measure} AUC, {sources[int(number)]}" if number.isdecimal() else column


def _normalisation(backbone: str) -> dict[str, list[float]]:
    """Return the input mean and standard deviation of a backbone."""
    timm = import_timm()
    config = timm.data.resolve_model_data_config(timm.create_model(backbone, num_classes=0))
    return {name: [float(value) for value in config[name]] for name in ("mean", "std")}


def write_whole(out: Path) -> None:
    """Pack the network trained on all images into ``whole.zip``, which can be used like the folder.

    Parameters
    ----------
    out : Path
        Finished folder that contains ``whole.safetensors``.
    """
    tuned = cnn.Finetuned.read(out)
    note = tuned.note | {"networks": ["whole.safetensors"], "folds": False}
    files = {
        cnn.NOTE: cnn.note_bytes(note),
        cnn.SEEN: tuned.files[cnn.SEEN],
        "whole.safetensors": (out / "whole.safetensors").read_bytes(),
    }
    write_file(out / "whole.zip", cnn.Finetuned(note, files).pack())


def _measure_all(
    folds: FoldWork, logits: np.ndarray, scores: pd.DataFrame, sources: Sequence[str]
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Compute the figures of the card for each source, and the metrics for all images."""
    figures, metrics = [], []
    places = [(name, folds.source == number) for number, name in enumerate(sources)]
    everything = np.full(len(logits), True)
    # The first two scores are those of `cnn.truths`.
    scored = dict(zip(cnn.SCORE_COLUMNS, cnn.truths(folds.allowed).items(), strict=False))
    for name, rows in [*places, ("all", everything)] if len(places) > 1 else places:
        for column, (measure, truth) in scored.items():
            found, figure = _measure(truth, scores[column].to_numpy(), folds.group, rows)
            figures.append({"images": name, "measure": f"AUC of {measure}"} | figure)
            if rows.sum() == len(rows):
                prefix = "" if measure == "any malignancy" else f"{measure}_"
                metrics.append(found.assign(metric=prefix + found["metric"]))
        figure = _balanced_accuracy(folds.allowed[rows], logits[rows])
        figures.append({"images": name, "measure": "balanced accuracy"} | figure)
    last = {"metric": "balanced_accuracy", "value": figures[-1]["value"]}
    return figures, pd.concat([*metrics[:2], pd.DataFrame([last])], ignore_index=True)


def _measure(
    truth: np.ndarray, score: np.ndarray, group: np.ndarray, rows: np.ndarray
) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = rows & np.isfinite(truth)
    n_rows, n_positive = int(rows.sum()), int(truth[rows].sum())
    figure: dict[str, Any] = {"n": n_rows, "positive": n_positive}
    figure |= dict.fromkeys(("value", "low", "high"))
    if not 0 < n_positive < n_rows:
        return pd.DataFrame(columns=["metric", "value", "low", "high"]), figure
    metrics = evaluate(truth[rows].astype(int), score[rows], groups=group[rows])
    metrics = metrics[metrics["metric"].isin(("auc", "average_precision", "pauc"))]
    auc = metrics.set_index("metric").loc["auc", ["value", "low", "high"]]
    return metrics, figure | dict(zip(("value", "low", "high"), map(_plain, auc), strict=True))


def _balanced_accuracy(allowed: np.ndarray, logits: np.ndarray) -> dict[str, Any]:
    """Compute the mean recall over the known diagnoses, predicted by the largest logit."""
    known = allowed.sum(axis=1) == 1
    truth, guess = allowed[known].argmax(axis=1), logits[known].argmax(axis=1)
    recalls = [float((guess[truth == kind] == kind).mean()) for kind in np.unique(truth)]
    value = round(float(np.mean(recalls)), 4) if len(recalls) > 1 else None
    return {"n": int(known.sum()), "positive": None, "value": value, "low": None, "high": None}


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def name_sources(sources: Sequence[str]) -> list[str]:
    """Name each source by the shortest unique ending of its path, without shared last parts.

    Parameters
    ----------
    sources : sequence of str
        Paths of the sources.

    Returns
    -------
    list of str
        One name per source.

    Examples
    --------
    >>> name_sources(["data/ham10000/images", "data/isic2017/images"])
    ['ham10000', 'isic2017']
    """
    parts = [Path(source).parts or (source,) for source in sources]
    while len(parts) > 1 and len({part[-1] for part in parts}) == 1 and min(map(len, parts)) > 1:
        parts = [part[:-1] for part in parts]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(source) for source in sources]
