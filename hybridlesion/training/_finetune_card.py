"""The card of a fine-tuned folder: what it learned from, how well, and what it is not for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hybridlesion._files import atomic_path

__all__ = ["write_finetune_card"]

_TEXT = """# Fine-tuned {backbone}: model card

**Purpose.** Ranks photographs of skin lesions by how likely they are malignant, as one column
beside others. Research software, not a medical device. Its score is no probability: malignant
lesions were drawn more often than they are.

**Network.** {networks} of `{backbone}`, weights in half precision; the view is {view} of
{image_size} by {image_size} pixels.

**Data.** {n_images:,} images, {n_malignant:,} malignant, from {n_sources}. Images of one
patient or lesion, and images that look the same, lie in one fold. SHA-256 of the sorted ids:
`{image_ids_sha256}`. `seen.npz` holds hashes of the ids and 256 bits of each image's look, by
which the package knows training images again.

**Licence of the weights.** That of the images: weights learned from images for non-commercial
use are for non-commercial use.

**Figures.** Each image scored by the network of the fold that did not see it; 95 % intervals
over patients or lesions.

| images | number | malignant | AUC | interval |
|---|---|---|---|---|
{rows}

**Recipe.** {recipe}.

**Failures.** Photographs of another camera, light or skin than those it learned from score
worse, as with every such network. Ink, rulers and dark corners can mislead it.
"""

_VIEWS = {
    "lesion": "the lesion",
    "frame": "the frame",
    "both": "the lesion and then the frame, the mean of both,",
}


def write_finetune_card(folder: Path, note: Mapping[str, object]) -> Path:
    """Write ``CARD.md`` from the note of a fine-tuned folder.

    Parameters
    ----------
    folder : Path
        The folder.
    note : mapping
        What ``finetuned.json`` says.

    Returns
    -------
    Path
        The card.
    """
    recipe = note["recipe"]
    count, figures = len(note["networks"]), note["figures"]
    n_sources = sum(1 for figure in figures if figure["images"] != "all")
    text = _TEXT.format(
        backbone=note["backbone"],
        networks=f"{count} networks, one for each fold,"
        if note["folds"]
        else f"{count} network(s)",
        view=_VIEWS[note["crop"]],
        image_size=note["image_size"],
        n_images=note["n_images"],
        n_malignant=note["n_malignant"],
        n_sources="one collection" if n_sources == 1 else f"{n_sources} collections",
        image_ids_sha256=note["image_ids_sha256"],
        rows="\n".join(_row(figure) for figure in figures),
        recipe=", ".join(f"{name} {value}" for name, value in recipe.items()),
    )
    path = folder / "CARD.md"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _row(figure: Mapping[str, object]) -> str:
    numbers = f"{figure['n']:,} | {figure['malignant']:,}"
    if figure["auc"] is None:
        return f"| {figure['images']} | {numbers} | one class only | |"
    interval = f"{figure['low']:.3f} to {figure['high']:.3f}"
    return f"| {figure['images']} | {numbers} | {figure['auc']:.3f} | {interval} |"
