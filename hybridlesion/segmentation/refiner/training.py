"""The training loop: samples to averaged weights, one checkpoint an epoch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from hybridlesion._training_utils import (
    load_checkpoint,
    mixed_precision,
    save_checkpoint,
    update_ema,
)
from hybridlesion.segmentation.refiner.network import RefinerNetwork, load_imagenet_encoder
from hybridlesion.segmentation.refiner.recipe import Recipe
from hybridlesion.segmentation.refiner.samples import Sample, augment

__all__ = ["Optimization", "mask_loss", "optimize"]


@dataclass
class Optimization:
    """A training in progress: everything that changes from step to step.

    Parameters
    ----------
    network : RefinerNetwork
        The network that learns.
    average : RefinerNetwork
        The running average of its weights, which is the result.
    optimizer : torch.optim.Optimizer
        AdamW over what is not frozen.
    schedule : torch.optim.lr_scheduler.LRScheduler
        One cycle over all steps.
    losses : list of float, optional
        Mean loss of each epoch so far; none at the beginning.
    """

    network: RefinerNetwork
    average: RefinerNetwork
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    losses: list[float] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all.

        Parameters
        ----------
        path : Path
            File to write.
        """
        save_checkpoint(path, self._parts(), {"losses": self.losses})

    def restore(self, path: Path) -> None:
        """Go back to a checkpoint.

        Parameters
        ----------
        path : Path
            File from `save`, of the same recipe and the same samples.
        """
        self.losses = load_checkpoint(path, self._parts())["losses"]

    def _parts(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in _PARTS}


_PARTS = ("network", "average", "optimizer", "schedule")


def optimize(
    samples: Sequence[Sample],
    recipe: Recipe,
    *,
    encoder: dict[str, torch.Tensor] | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Optimization:
    """Train a refiner.

    Parameters
    ----------
    samples : sequence of Sample
        At least as many as a batch has; the rest of an epoch that fills no batch is left out.
    recipe : Recipe
        Settings.
    encoder : dict of str to Tensor, default=None
        ImageNet weights of timm's ``mobilenetv2_100``; None begins at random.
    device : str, default="cpu"
        ``"cpu"`` or ``"cuda:N"``.
    checkpoint : Path, default=None
        File that is read if it is there, and written after each epoch. The caller sees to it that
        it belongs to these samples and settings.
    progress : callable, default=None
        Called as ``progress(steps_done, steps)``.

    Returns
    -------
    Optimization
        Its ``average`` is the trained network.

    Raises
    ------
    ValueError
        If there are fewer samples than a batch has.

    Notes
    -----
    Every random choice follows from the seed and the epoch's number, so an interrupted training
    ends where an uninterrupted one does; on a CPU with the same number of threads, bit for bit.
    """
    per_epoch = len(samples) // recipe.batch_size
    if per_epoch == 0:
        raise ValueError(
            f"a batch of {recipe.batch_size} needs as many images, got {len(samples)}. Lower the "
            "batch size, or bring more images."
        )
    state = _begin(recipe, encoder, device, recipe.epochs * per_epoch)
    if checkpoint is not None and checkpoint.is_file():
        state.restore(checkpoint)
    for epoch in range(len(state.losses), recipe.epochs):
        rng = np.random.default_rng([recipe.seed, epoch])
        order = rng.permutation(len(samples))[: per_epoch * recipe.batch_size]
        losses = []
        for step, chosen in enumerate(order.reshape(per_epoch, -1), start=1):
            views = [augment(samples[i], recipe.image_size, rng) for i in chosen]
            losses.append(_step(state, views, recipe, device, epoch * per_epoch + step))
            if progress is not None:
                progress(epoch * per_epoch + step, recipe.epochs * per_epoch)
        state.losses.append(float(np.mean(losses)))
        if checkpoint is not None:
            state.save(checkpoint)
    state.average.eval()
    return state


def mask_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus one minus the soft Jaccard index.

    Parameters
    ----------
    logits : Tensor of shape (n, 1, S, S)
        Output of the network.
    truth : Tensor of shape (n, 1, S, S)
        0 to 1.

    Returns
    -------
    Tensor of shape ()
        Mean over the images.

    Notes
    -----
    The soft Jaccard index of probabilities p and truth t is
    ``(sum(p t) + 1) / (sum(p + t) - sum(p t) + 1)``.
    """
    probability = logits.sigmoid()
    shared = (probability * truth).sum((1, 2, 3))
    total = (probability + truth).sum((1, 2, 3))
    jaccard = (shared + 1) / (total - shared + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + (1 - jaccard).mean()


def _begin(recipe: Recipe, encoder: dict | None, device: str, steps: int) -> Optimization:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = RefinerNetwork(evidence=recipe.evidence)
    frozen = 0
    if encoder is not None:
        load_imagenet_encoder(network, encoder)
        frozen = recipe.frozen_stages
        for part in (network.stem, *network.stages[:frozen]):
            part.requires_grad_(False)
    network = network.to(device=device, memory_format=torch.channels_last).train()
    tuned = [value for value in network.stages.parameters() if value.requires_grad]
    if frozen == 0:
        tuned += list(network.stem.parameters())
    known = {id(value) for value in tuned}
    fresh = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
    rates = [recipe.encoder_rate, recipe.decoder_rate]
    groups = [
        {"params": part, "lr": rate} for part, rate in zip((tuned, fresh), rates, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, max(steps, 2), pct_start=0.1)
    return Optimization(network, copy.deepcopy(network), optimizer, schedule)


def _step(state: Optimization, views: list, recipe: Recipe, device: str, number: int) -> float:
    images, evidence, masks = (
        torch.from_numpy(np.stack(part)).to(device) for part in zip(*views, strict=True)
    )
    with mixed_precision(device):
        # Channels are last in memory already, which the convolutions like best.
        logits = state.network(images.permute(0, 3, 1, 2), evidence.permute(0, 3, 1, 2))
    loss = mask_loss(logits.float(), masks[:, None])
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.largest_gradient)
    state.optimizer.step()
    state.schedule.step()
    update_ema(state.average, state.network, min(recipe.averaging, (1 + number) / (10 + number)))
    return float(loss.detach())
