"""Training loop with averaged weights and a checkpoint per epoch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from hybridlesion._optional_imports import import_timm
from hybridlesion._training_utils import (
    load_checkpoint,
    mixed_precision,
    save_checkpoint,
    set_malloc_retention,
    update_ema,
)
from hybridlesion.cnn.dataset import (
    Examples,
    FinetuneRecipe,
    draw_order,
    draw_view,
    plain_view,
    prior_offsets,
    two_views,
)
from hybridlesion.cnn.network import LesionNetwork

_DECAY = 0.8  # learning rate of a block over that of the next
_LARGEST_GRADIENT = 5.0
_PREDICTED_AT_ONCE = 32


@dataclass
class Trainer:
    """State of a fine-tuning.

    Parameters
    ----------
    network : LesionNetwork
        The network being trained.
    average : LesionNetwork
        Exponential moving average of its weights.
    optimizer : torch.optim.Optimizer
        AdamW over the parameters that are not frozen.
    schedule : torch.optim.lr_scheduler.LRScheduler
        Warm-up and cosine.
    best : dict, optional
        State of the best average so far, where validation images choose it; else empty.
    curve : list of dict, optional
        Epoch, loss and validation score of each epoch so far.
    """

    network: LesionNetwork
    average: LesionNetwork
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    best: dict = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically.

        Parameters
        ----------
        path : Path
            File to write.
        """
        save_checkpoint(path, self._parts(), {"best": self.best, "curve": self.curve})

    def restore(self, path: Path) -> None:
        """Restore a checkpoint.

        Parameters
        ----------
        path : Path
            File from `save`, of the same recipe and the same examples.
        """
        facts = load_checkpoint(path, self._parts())
        self.best, self.curve = facts["best"], facts["curve"]

    def is_over(self, recipe: FinetuneRecipe) -> bool:
        """Whether all epochs are done, or validation has not improved for too long.

        Parameters
        ----------
        recipe : FinetuneRecipe
            Settings.

        Returns
        -------
        bool
            True if so.
        """
        if len(self.curve) >= recipe.epochs:
            return True
        scores = [row["validation"] for row in self.curve if "validation" in row]
        return bool(scores) and len(scores) - 1 - int(np.argmax(scores)) >= recipe.patience

    def _parts(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in _PARTS}


_PARTS = ("network", "average", "optimizer", "schedule")


def train(
    network: LesionNetwork,
    examples: Examples,
    recipe: FinetuneRecipe,
    *,
    validation: Examples | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trainer:
    """Fine-tune a network.

    Parameters
    ----------
    network : LesionNetwork
        Network with pretrained weights; modified in place.
    examples : Examples
        Training images.
    recipe : FinetuneRecipe
        Settings.
    validation : Examples, default=None
        Images that choose the best epoch by average precision; used with ``patience`` above 0.
    device : str, default="cpu"
        ``"cpu"`` or ``"cuda:N"``.
    checkpoint : Path, default=None
        File that is read if it exists, and written after each epoch. It must belong to these
        examples and settings.
    progress : callable, default=None
        Called as ``progress(steps_done, steps)``.

    Returns
    -------
    Trainer
        Its ``average`` is the result: of the best epoch, or of the last without validation.

    Notes
    -----
    Every random choice depends on the seed and the epoch only, so that a resumed training gives the
    same result as an uninterrupted one; on a CPU with the same number of threads, bit for bit.
    """
    if device == "cpu":
        set_malloc_retention()
    per_epoch = max(len(examples) // recipe.batch_size, 1)
    # An epoch ends with an optimizer step, since a checkpoint contains no gradients.
    moves = recipe.epochs * -(-per_epoch // recipe.accumulate)
    state = _begin(network, recipe, device, moves)
    if checkpoint is not None and checkpoint.is_file():
        state.restore(checkpoint)
    offsets = prior_offsets(examples, recipe)
    while not state.is_over(recipe):
        epoch = len(state.curve)
        losses = _run_epoch(state, examples, offsets, recipe, device, epoch, progress)
        row = {"epoch": epoch + 1.0, "loss": float(np.mean(losses))}
        if validation is not None and recipe.patience:
            row["validation"] = _validate(state, validation, recipe, device)
            if row["validation"] > max((r["validation"] for r in state.curve), default=-1.0):
                state.best = copy.deepcopy(state.average.state_dict())
        state.curve.append(row)
        if checkpoint is not None:
            state.save(checkpoint)
    if state.best:
        state.average.load_state_dict(state.best)
    state.average.eval()
    return state


def predict(
    network: LesionNetwork, crops: np.ndarray, size: int, *, device: str = "cpu"
) -> np.ndarray:
    """Score crops.

    Parameters
    ----------
    network : LesionNetwork
        A trained network on `device`.
    crops : ndarray of shape (n, S, S, 3) or (n, v, S, S, 3), uint8
        RGB crops; v is 1 or 2.
    size : int
        Side of the input in pixels.
    device : str, default="cpu"
        Device of the network.

    Returns
    -------
    ndarray of shape (n,), float32
        Log odds of malignancy among as many benign lesions: the mean over two views of each, see
        `two_views`.
    """
    network.eval()
    odds = np.empty((len(crops), 2), np.float32)
    with torch.inference_mode():
        for start in range(0, len(crops), _PREDICTED_AT_ONCE):
            part = slice(start, start + _PREDICTED_AT_ONCE)
            for view, pictures in enumerate(zip(*map(two_views, crops[part]), strict=True)):
                views = np.stack([plain_view(picture, size) for picture in pictures])
                found = network(_as_input(network, views, device))[0]
                odds[part, view] = found.float().cpu().numpy()
    return odds.mean(axis=1)


def _begin(network: LesionNetwork, recipe: FinetuneRecipe, device: str, moves: int) -> Trainer:
    blocks = network.blocks()
    frozen = round(recipe.frozen * len(blocks))
    for parameter in (p for block in blocks[:frozen] for p in block):
        parameter.requires_grad_(False)
    network = network.to(device=device, memory_format=torch.channels_last).train()
    tuned = blocks[frozen:]
    heads = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
    groups = [
        {"params": block, "lr": recipe.backbone_rate * _DECAY ** (len(tuned) - 1 - i)}
        for i, block in enumerate(tuned)
    ]
    optimizer = torch.optim.AdamW(
        [*groups, {"params": heads, "lr": recipe.head_rate}], weight_decay=recipe.weight_decay
    )
    shapes = [_shape(recipe.warm_up * moves, moves, waits=True)] * len(tuned)
    shapes.append(_shape(recipe.warm_up * moves, moves, waits=False))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, shapes)
    return Trainer(network, copy.deepcopy(network), optimizer, schedule)


def _shape(warm: float, moves: int, *, waits: bool) -> Callable[[int], float]:
    """Learning rate factor of each step; if `waits`, the warm-up starts after that of the head."""

    def factor(move: int) -> float:
        begin = warm if waits else 0.0
        rising = (move + 1 - begin) / max(warm, 1.0)
        falling = 0.5 * (1 + math.cos(math.pi * min(move / moves, 1.0)))
        return float(np.clip(rising, 0.0, 1.0)) * falling

    return factor


def _run_epoch(
    state: Trainer,
    examples: Examples,
    offsets: np.ndarray,
    recipe: FinetuneRecipe,
    device: str,
    epoch: int,
    progress: Callable[[int, int], None] | None,
) -> list[float]:
    rng = np.random.default_rng([recipe.seed, epoch])
    # Dropout draws from torch's own generator.
    torch.manual_seed(int(rng.integers(2**31)))
    per_epoch = max(len(examples) // recipe.batch_size, 1)
    order = draw_order(examples, recipe, rng)[: per_epoch * recipe.batch_size]
    size = recipe.size(epoch)
    losses = []
    for step, rows in enumerate(np.array_split(order, per_epoch), start=1):
        views = np.stack([draw_view(examples.crops[i], size, recipe, rng) for i in rows])
        done = epoch * per_epoch + step
        losses.append(_learn(state, views, examples, offsets, rows, recipe, device))
        if step % recipe.accumulate == 0 or step == per_epoch:
            _move(state, min(recipe.averaging, (1 + done) / (10 + done)))
        if progress is not None:
            progress(done, recipe.epochs * per_epoch)
    return losses


def _learn(
    state: Trainer,
    views: np.ndarray,
    examples: Examples,
    offsets: np.ndarray,
    rows: np.ndarray,
    recipe: FinetuneRecipe,
    device: str,
) -> float:
    """Add the gradients of one batch; returns its loss."""
    with mixed_precision(device):
        odds, diagnosis = state.network(_as_input(state.network, views, device))
    truth = torch.from_numpy(examples.target[rows].astype(np.float32)).to(device)
    shift = torch.from_numpy(offsets[rows]).to(device)
    loss = F.binary_cross_entropy_with_logits(odds.float() + shift, truth)
    known = examples.diagnosis[rows] >= 0
    if diagnosis is not None and recipe.auxiliary and known.any():
        classes = torch.from_numpy(examples.diagnosis[rows][known].astype(np.int64)).to(device)
        loss = loss + recipe.auxiliary * F.cross_entropy(
            diagnosis.float()[torch.from_numpy(known).to(device)], classes, label_smoothing=0.1
        )
    (loss / recipe.accumulate).backward()
    return float(loss.detach())


def _move(state: Trainer, share: float) -> None:
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), _LARGEST_GRADIENT)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    state.schedule.step()
    update_ema(state.average, state.network, share)


def _validate(state: Trainer, validation: Examples, recipe: FinetuneRecipe, device: str) -> float:
    from sklearn.metrics import average_precision_score

    scores = predict(state.average, validation.crops, recipe.image_size, device=device)
    return float(average_precision_score(validation.target, scores))


def _as_input(network: LesionNetwork, views: np.ndarray, device: str) -> torch.Tensor:
    """Normalise as the backbone was pretrained; channels are last in memory already."""
    config = import_timm().data.resolve_model_data_config(network.backbone)
    mean, std = (
        torch.tensor(config[name], device=device).view(1, 3, 1, 1) * 255 for name in ("mean", "std")
    )
    images = torch.from_numpy(views).to(device).permute(0, 3, 1, 2).float()
    return images.sub_(mean).div_(std)
