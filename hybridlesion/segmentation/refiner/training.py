"""Refiner training: settings, loss and a loop that saves a checkpoint after each epoch."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridlesion._training_utils import (
    load_checkpoint,
    mixed_precision,
    save_checkpoint,
    set_malloc_retention,
    update_ema,
)
from hybridlesion._validation import check_number
from hybridlesion.segmentation.refiner.samples import (
    STRUCTURES,
    Sample,
    TrainingView,
    augment,
    plain_view,
)

if TYPE_CHECKING:
    import torch

    from hybridlesion.segmentation.refiner.network import RefinerNetwork


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run.

    Parameters
    ----------
    epochs : int, default=8
        Number of passes over the images.
    batch_size : int, default=16
        Number of images per step.
    image_size : int, default=192
        Side of the square input of the network, in pixels; a multiple of 32.
    seed : int, default=0
        Seed for the initial weights, the order of the images and their augmentation.
    evidence : bool, default=True
        Whether the network receives the classical evidence.
    encoder_rate : float, default=5e-4
        Peak learning rate of the encoder, lower because it is pretrained.
    decoder_rate : float, default=2.5e-3
        Peak learning rate of all other layers.
    weight_decay : float, default=0.01
        Weight decay of AdamW.
    largest_gradient : float, default=5.0
        Norm to which gradients are clipped.
    averaging : float, default=0.998
        Decay of the moving average of the weights; lower in the first steps.
    frozen_stages : int, default=2
        Number of encoder stages after the stem that keep their ImageNet weights. Without pretrained
        weights, no stage is frozen.
    tightness : float, default=0.4
        Amount by which the logit of "lesion" is lowered after training; 0.4 draws the outline where
        the network is 60 % certain. The experts of ISIC include the fading rim, others draw at the
        visible edge.
    """

    epochs: int = 8
    batch_size: int = 16
    image_size: int = 192
    seed: int = 0
    evidence: bool = True
    encoder_rate: float = 5e-4
    decoder_rate: float = 2.5e-3
    weight_decay: float = 0.01
    largest_gradient: float = 5.0
    averaging: float = 0.998
    frozen_stages: int = 2
    tightness: float = 0.4

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            check_number(name, getattr(self, name), low=1, integer=True)
        check_number("seed", self.seed, low=0, integer=True)
        check_number("image_size", self.image_size, low=32, integer=True)
        if self.image_size % 32:
            below = self.image_size // 32 * 32
            raise ValueError(
                f"image_size must be a multiple of 32, got {self.image_size}; take {below} or "
                f"{below + 32}."
            )


@dataclass
class RefinerState:
    """Training state that is stored in a checkpoint.

    Parameters
    ----------
    network : RefinerNetwork
        The network in training.
    average : RefinerNetwork
        Moving average of its weights; the result of the training.
    optimizer : torch.optim.Optimizer
        AdamW over all weights that are not frozen.
    schedule : torch.optim.lr_scheduler.LRScheduler
        One-cycle learning rates over all steps.
    curve : list of dict, optional
        For each completed epoch: epoch, loss, rate, images per second and minutes left; with
        held-out samples also their loss and mean Jaccard index.
    """

    network: RefinerNetwork
    average: RefinerNetwork
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    curve: list[dict[str, float]] = field(default_factory=list)

    @property
    def losses(self) -> list[float]:
        """Mean loss of each completed epoch."""
        return [row["loss"] for row in self.curve]

    @property
    def parts(self) -> dict[str, object]:
        """Objects with a state dict, by name."""
        return {name: value for name, value in vars(self).items() if name != "curve"}


def train_network(
    samples: Sequence[Sample],
    recipe: Recipe,
    *,
    encoder: dict[str, torch.Tensor] | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    held_out: Sequence[Sample] = (),
    log: Callable[[list[dict[str, float]]], None] | None = None,
) -> RefinerState:
    """Train a refiner.

    Parameters
    ----------
    samples : sequence of Sample
        Samples for at least one batch. An incomplete batch at the end of an epoch is dropped.
    recipe : Recipe
        Settings.
    encoder : dict of str to Tensor, default=None
        ImageNet weights of timm's ``mobilenetv2_100``. If None, weights are random.
    device : str, default="cpu"
        ``"cpu"`` or ``"cuda:N"``.
    checkpoint : Path, default=None
        File that is read if it exists and written after each epoch. The caller guarantees that it
        belongs to the same samples and settings.
    progress : callable, default=None
        Called as ``progress(steps_done, steps)``.
    held_out : sequence of Sample, default=()
        Samples whose loss and Jaccard index are computed after each epoch; they do not affect the
        training.
    log : callable, default=None
        Called with the curve after each epoch.

    Returns
    -------
    RefinerState
        Final state, whose ``average`` is the trained network.

    Raises
    ------
    ValueError
        If there are fewer samples than a batch requires.

    Notes
    -----
    Images with masks of a rare structure are drawn more often: ``ceil(sqrt(n / m))`` times in each
    epoch, where m images show that structure and n the commonest one.

    All random numbers are derived from the seed and the number of the epoch, so that a resumed
    training run ends like an uninterrupted one: bit for bit on a CPU with the same number of
    threads.
    """
    import torch

    if device == "cpu":
        set_malloc_retention()
    drawn = _repeat_rare(samples)
    per_epoch = len(drawn) // recipe.batch_size
    if per_epoch == 0:
        raise ValueError(
            f"a batch of {recipe.batch_size} needs as many images, got {len(samples)}. Lower the "
            "batch size, or provide more images."
        )
    n_structures = len(STRUCTURES) if any(s.structures is not None for s in samples) else 0
    steps = recipe.epochs * per_epoch
    state = _initialise(recipe, n_structures, encoder, device, steps)
    if checkpoint is not None and checkpoint.is_file():
        state.curve = load_checkpoint(checkpoint, state.parts)["curve"]
    for epoch in range(len(state.curve), recipe.epochs):
        began = time.monotonic()
        rng = np.random.default_rng([recipe.seed, epoch])
        order = rng.permutation(drawn)[: per_epoch * recipe.batch_size]
        losses = []
        for step, chosen in enumerate(order.reshape(per_epoch, -1), start=1):
            views = [augment(samples[i], recipe.image_size, rng) for i in chosen]
            losses.append(_step(state, views, recipe, device, epoch * per_epoch + step))
            if progress is not None:
                progress(epoch * per_epoch + step, steps)
        seconds = time.monotonic() - began
        row = {
            "epoch": epoch + 1,
            "loss": float(np.mean(losses)),
            "rate": float(state.schedule.get_last_lr()[-1]),
            "images_per_second": order.size / seconds,
            "minutes_left": seconds / 60 * (recipe.epochs - epoch - 1),
        }
        state.curve.append(row | _measure_held_out(state, held_out, recipe, device))
        if checkpoint is not None:
            save_checkpoint(checkpoint, state.parts, {"curve": state.curve})
        if log is not None:
            log(state.curve)
    with torch.no_grad():
        state.average.head.bias[0] -= recipe.tightness
    state.average.eval()
    return state


def _measure_held_out(
    state: RefinerState, held_out: Sequence[Sample], recipe: Recipe, device: str
) -> dict[str, float]:
    """Loss and mean Jaccard index of the averaged network, at the size of its input."""
    import torch

    if not held_out:
        return {}
    losses, overlaps = [], []
    state.average.eval()
    for start in range(0, len(held_out), recipe.batch_size):
        views = [
            plain_view(one, recipe.image_size) for one in held_out[start:][: recipe.batch_size]
        ]
        with torch.inference_mode():
            inputs = (_batch(views, name, device) for name in ("image", "evidence"))
            logits = state.average(*inputs)[:, :1].float()
            truth = _batch(views, "mask", device)
            losses += [float(mask_loss(logits, truth))] * len(views)
            # The trained network is stricter by the tightness; see `Recipe`.
            mask, true = logits > recipe.tightness, truth > 0.5
            union = (mask | true).sum((1, 2, 3)).clamp(min=1)
            overlaps += ((mask & true).sum((1, 2, 3)) / union).tolist()
    return {"held_out_loss": float(np.mean(losses)), "held_out_jaccard": float(np.mean(overlaps))}


def mask_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus one minus the soft Jaccard index.

    Parameters
    ----------
    logits : Tensor of shape (n, 1, S, S)
        Output of the network.
    truth : Tensor of shape (n, 1, S, S)
        Ground-truth masks, 0 to 1.

    Returns
    -------
    Tensor of shape ()
        Mean over the images.

    Notes
    -----
    The soft Jaccard index of probabilities p and truth t is
    ``(sum(p t) + 1) / (sum(p + t) - sum(p t) + 1)``.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    probability = logits.sigmoid()
    shared = (probability * truth).sum((1, 2, 3))
    total = (probability + truth).sum((1, 2, 3))
    jaccard = (shared + 1) / (total - shared + 1)
    return binary_cross_entropy_with_logits(logits, truth) + (1 - jaccard).mean()


def structure_loss(
    logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Weighted cross-entropy of the maps of structures, summed over the structures.

    Parameters
    ----------
    logits : Tensor of shape (n, k, S, S)
        Output of the network.
    truth, weights : Tensor of shape (n, k, S, S)
        Masks, 0 to 1, and the weight of each pixel.

    Returns
    -------
    Tensor of shape ()
        Sum over structures of the weighted means over images and pixels.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    losses = binary_cross_entropy_with_logits(logits, truth, reduction="none") * weights
    return (losses.sum((0, 2, 3)) / weights.sum((0, 2, 3)).clamp(min=1)).sum()


def _repeat_rare(samples: Sequence[Sample]) -> np.ndarray:
    """Positions of the samples, with those of rare structures repeated."""
    annotated = np.array([sample.annotated for sample in samples], bool).reshape(len(samples), -1)
    counts = annotated.sum(axis=0)
    shares = np.divide(counts.max(initial=0), counts, out=np.ones(counts.shape), where=counts > 0)
    repeats = np.ceil(np.sqrt(np.where(annotated, shares, 1.0).max(axis=1, initial=1.0)))
    return np.repeat(np.arange(len(samples)), repeats.astype(int))


def _initialise(
    recipe: Recipe, n_structures: int, encoder: dict | None, device: str, steps: int
) -> RefinerState:
    import torch

    from hybridlesion.segmentation.refiner.network import RefinerNetwork, load_imagenet_encoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = RefinerNetwork(evidence=recipe.evidence, n_structures=n_structures)
    if encoder is not None:
        load_imagenet_encoder(network, encoder)
        for part in (network.stem, *network.stages[: recipe.frozen_stages]):
            part.requires_grad_(False)
    network = network.to(device=device, memory_format=torch.channels_last).train()
    tuned = [*network.stages.parameters(), *network.stem.parameters()]
    known = {id(value) for value in tuned}
    fresh = [value for value in network.parameters() if id(value) not in known]
    tuned = [value for value in tuned if value.requires_grad]
    rates = [recipe.encoder_rate, recipe.decoder_rate]
    groups = [{"params": tuned, "lr": rates[0]}, {"params": fresh, "lr": rates[1]}]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, max(steps, 2), pct_start=0.1)
    return RefinerState(network, copy.deepcopy(network), optimizer, schedule)


def _step(
    state: RefinerState, views: list[TrainingView], recipe: Recipe, device: str, number: int
) -> float:
    import torch

    batch = partial(_batch, views, device=device)
    with mixed_precision(device):
        logits = state.network(batch("image"), batch("evidence")).float()
    loss = mask_loss(logits[:, :1], batch("mask"))
    if logits.shape[1] > 1:
        loss = loss + structure_loss(logits[:, 1:], batch("structures"), batch("weights"))
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.largest_gradient)
    state.optimizer.step()
    state.schedule.step()
    decay = min(recipe.averaging, (1 + number) / (10 + number))
    update_ema(state.average, state.network, decay)
    return float(loss.detach())


def _batch(views: list[TrainingView], name: str, device: str) -> torch.Tensor:
    """Stack one part of the views into a tensor of shape (n, channels, S, S)."""
    import torch

    arrays = np.stack([getattr(view, name) for view in views])
    tensor = torch.from_numpy(arrays).to(device)
    # A view with channels last in memory, which is the layout of the convolutions.
    return tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor[:, None]
