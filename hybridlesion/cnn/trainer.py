"""Training loop with averaged weights and checkpoints."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hybridlesion._training_utils import (
    load_checkpoint,
    mixed_precision,
    save_checkpoint,
    set_malloc_retention,
    update_ema,
)
from hybridlesion.cnn.dataset import (
    CLASS_SHARES,
    SCORED_VIEWS,
    Examples,
    FinetuneRecipe,
    Sampler,
    draw_view,
    scored_view,
    truths,
)
from hybridlesion.cnn.diagnosis import class_scores
from hybridlesion.cnn.network import (
    as_input,
    blocks_of,
    fold_norms,
    head_of,
    input_spec,
    set_training,
)

_LARGEST_GRADIENT = 3.0
_LEAST_RATE = 0.02
_PREDICTED_AT_ONCE = 32
_STEPS_BETWEEN_CHECKPOINTS = 50


@dataclass
class Trainer:
    """State of a fine-tuning run.

    Parameters
    ----------
    network : nn.Module
        Network being trained.
    average : nn.Module
        Exponential moving average of the network's weights.
    optimizer : torch.optim.Optimizer
        AdamW optimizer for the parameters that are not frozen.
    step : int, default=0
        Number of steps done.
    losses : list of float, optional
        Losses of the steps in the current epoch.
    seconds : float, default=0.0
        Time spent.
    curve : list of dict, optional
        For each finished epoch: epoch, loss, rate, images per second, minutes and minutes left;
        with held-out images also their loss and AUCs.
    """

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)

    @property
    def parts(self) -> dict[str, Any]:
        """Objects with a state dict, by name."""
        return {name: value for name, value in vars(self).items() if hasattr(value, "state_dict")}

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values, by name."""
        return {name: value for name, value in vars(self).items() if name not in self.parts}


def train(
    network: nn.Module,
    examples: Examples,
    recipe: FinetuneRecipe,
    *,
    held_out: Examples | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[list[dict[str, float]]], None] | None = None,
) -> Trainer:
    """Fine-tune a network.

    Parameters
    ----------
    network : nn.Module
        Network with pretrained weights (see `create_network`), modified in place.
    examples : Examples
        Training images.
    recipe : FinetuneRecipe
        Training settings.
    held_out : Examples, default=None
        Images whose loss and AUCs are computed after each epoch; they do not affect the training.
    device : str, default="cpu"
        ``"cpu"`` or ``"cuda:N"``.
    checkpoint : Path, default=None
        Checkpoint file, which is read if it exists and written every 50 steps and after each epoch.
        It must belong to the same examples and settings.
    progress : callable, default=None
        Called as ``progress(steps_done, steps)``.
    log : callable, default=None
        Called with the curve after each epoch.

    Returns
    -------
    Trainer
        Final state, whose ``average`` is the trained network.

    Notes
    -----
    Random choices only depend on the seed and the step, so that a resumed training gives the same
    result as an uninterrupted training. On a CPU with the same number of threads, the results are
    identical to the last bit.
    """
    if device == "cpu":
        set_malloc_retention()
    per_epoch = max(len(examples) // recipe.batch_size, 1)
    steps = recipe.epochs * per_epoch
    state = _begin(network, recipe, device)
    if checkpoint is not None and checkpoint.is_file():
        state = replace(state, **load_checkpoint(checkpoint, state.parts))
    learner = _Learner(state, examples, recipe, device, steps)
    while state.step < steps:
        began = time.monotonic()
        state.losses.append(learner.learn())
        state.step += 1
        ends_epoch = state.step % per_epoch == 0
        if ends_epoch:
            state.curve.append(learner.summarise(held_out))
            state.losses = []
        state.seconds += time.monotonic() - began
        if checkpoint is not None and (ends_epoch or state.step % _STEPS_BETWEEN_CHECKPOINTS == 0):
            save_checkpoint(checkpoint, state.parts, state.facts)
        if log is not None and ends_epoch:
            log(state.curve)
        if progress is not None:
            progress(state.step, steps)
    state.average.eval()
    return state


def predict(
    network: nn.Module,
    examples: Examples,
    size: int,
    *,
    views: tuple[tuple[str, float], ...] = SCORED_VIEWS,
    device: str = "cpu",
) -> np.ndarray:
    """Score images.

    Parameters
    ----------
    network : nn.Module
        Trained network on `device`.
    examples : Examples
        Images to score.
    size : int
        Side of the input in pixels.
    views : tuple, default=SCORED_VIEWS
        Views over which the logits are averaged.
    device : str, default="cpu"
        Device of the network.

    Returns
    -------
    ndarray of shape (n, 8), float32
        Logits.
    """
    spec, fast = input_spec(network, size), fold_norms(network).eval()
    logits = np.zeros(examples.allowed.shape, np.float32)
    with torch.inference_mode():
        for start in range(0, len(examples), _PREDICTED_AT_ONCE):
            rows = range(start, min(start + _PREDICTED_AT_ONCE, len(examples)))
            images = [(examples.image(row), examples.boxes[row]) for row in rows]
            for view in views:
                shown = np.stack([scored_view(image, box, view, spec) for image, box in images])
                found = fast(as_input(shown, spec, device))
                logits[rows] += found.float().cpu().numpy() / len(views)
    return logits


def class_set_loss(
    logits: torch.Tensor, allowed: torch.Tensor, log_shares: torch.Tensor, smoothing: float
) -> torch.Tensor:
    """Compute the negative log probability of the classes that are compatible with each label.

    Parameters
    ----------
    logits : Tensor of shape (n, k)
        Outputs of the network.
    allowed : Tensor of shape (n, k), bool
        Classes that are compatible with each label.
    log_shares : Tensor of shape (n, k)
        Logarithms of the class frequencies in the source of each image. They are added to the
        logits, so that the network learns likelihoods rather than the frequencies.
    smoothing : float
        Weight of the mean over all classes.

    Returns
    -------
    Tensor
        Mean loss over the images.

    References
    ----------
    Menon et al. 2021, "Long-tail learning via logit adjustment", ICLR.
    """
    log_p = torch.log_softmax(logits + log_shares, dim=1)
    truth = torch.logsumexp(log_p.masked_fill(~allowed, -1e4), dim=1)
    return -((1 - smoothing) * truth + smoothing * log_p.mean(dim=1)).mean()


def _begin(network: nn.Module, recipe: FinetuneRecipe, device: str) -> Trainer:
    blocks = blocks_of(network)
    for parameter in chain(*blocks[: round(recipe.frozen * len(blocks))]):
        parameter.requires_grad_(False)
    network = set_training(network.to(device=device, memory_format=torch.channels_last))
    rest = [p for p in chain(*blocks) if p.requires_grad]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "factor": 1.0},
        {"params": [p for p in rest if p.ndim == 1], "factor": 1.0, "weight_decay": 0.0},
        {"params": head_of(network), "factor": recipe.head_factor},
    ]
    groups = [group for group in groups if group["params"]]
    rates = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-6, **rates)
    return Trainer(network, copy.deepcopy(network), optimizer)


class _Learner:
    """Steps of a training, with the objects that each of them needs."""

    def __init__(
        self, state: Trainer, examples: Examples, recipe: FinetuneRecipe, device: str, steps: int
    ):
        self.state, self.examples, self.recipe, self.device = state, examples, recipe, device
        self.steps = steps
        self.sampler = Sampler(examples, recipe)
        self.network = fold_norms(state.network)
        self.spec = input_spec(state.network, recipe.image_size)

    def learn(self) -> float:
        """Do a training step and return the loss."""
        recipe, state = self.recipe, self.state
        rng = np.random.default_rng([recipe.seed, state.step])
        # Dropout uses torch's global generator.
        torch.manual_seed(int(rng.integers(2**31)))
        rows = self.sampler.draw(min(recipe.batch_size, len(self.examples)), rng)
        loss = self._loss(rows, recipe.size(state.step / self.steps), rng)
        loss.backward()
        nn.utils.clip_grad_norm_(state.network.parameters(), _LARGEST_GRADIENT)
        for group in state.optimizer.param_groups:
            group["lr"] = self._rate(state.step) * group["factor"]
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        done = state.step + 1
        update_ema(state.average, state.network, min(recipe.averaging, (1 + done) / (10 + done)))
        return float(loss.detach())

    def _rate(self, step: int) -> float:
        """Return the learning rate of the backbone in a step."""
        recipe, steps = self.recipe, self.steps
        rising = min(1.0, (step + 1) / max(recipe.warm_up * steps, 1.0))
        falling = 0.5 * (1 + math.cos(math.pi * step / steps))
        return recipe.learning_rate * rising * (_LEAST_RATE + (1 - _LEAST_RATE) * falling)

    def _loss(self, rows: np.ndarray, size: int, rng: np.random.Generator) -> torch.Tensor:
        examples = self.examples
        images = [(examples.image(row), examples.boxes[row]) for row in rows]
        views = [draw_view(image, box, size, self.recipe, rng) for image, box in images]
        with mixed_precision(self.device):
            logits = self.network(as_input(np.stack(views), self.spec, self.device))
        allowed = torch.from_numpy(examples.allowed[rows]).to(self.device)
        shares = torch.from_numpy(self.sampler.log_shares[examples.source[rows]]).to(self.device)
        return class_set_loss(logits.float(), allowed, shares, self.recipe.label_smoothing)

    def summarise(self, held_out: Examples | None) -> dict[str, float]:
        """Compute the row of the learning curve after an epoch."""
        state, steps = self.state, self.steps
        n_images = state.step * min(self.recipe.batch_size, len(self.examples))
        row = {
            "epoch": len(state.curve) + 1.0,
            "loss": float(np.mean(state.losses)),
            "rate": self._rate(state.step - 1),
            # A first epoch of a single step has no measured time yet.
            "images_per_second": n_images / state.seconds if state.seconds else float("nan"),
            "minutes": state.seconds / 60,
            "minutes_left": state.seconds / 60 * (steps - state.step) / state.step,
        }
        if not held_out:
            return row
        size = self.recipe.size((state.step - 1) / steps)
        logits = predict(state.average, held_out, size, views=SCORED_VIEWS[:1], device=self.device)
        row["held_out_loss"] = self._held_out_loss(held_out, logits)
        return row | _aucs(held_out, class_scores(logits, CLASS_SHARES))

    def _held_out_loss(self, held_out: Examples, logits: np.ndarray) -> float:
        """Compute the loss of images from the sources of the training."""
        known = held_out.source < len(self.sampler.log_shares)
        found, allowed = (torch.from_numpy(part[known]) for part in (logits, held_out.allowed))
        shares = torch.from_numpy(self.sampler.log_shares[held_out.source[known]])
        return float(class_set_loss(found, allowed, shares, self.recipe.label_smoothing))


def _aucs(held_out: Examples, scores: np.ndarray) -> dict[str, float]:
    """Compute AUCs by truth and source, such as ``melanoma_0``, if both classes occur."""
    from sklearn.metrics import roc_auc_score

    found = {}
    # The first two scores are those of the truths.
    for (name, truth), score in zip(truths(held_out.allowed).items(), scores.T[:2], strict=True):
        for source in np.unique(held_out.source):
            rows = (held_out.source == source) & np.isfinite(truth)
            if len(np.unique(truth[rows])) == 2:
                key = f"{name.replace(' ', '_')}_{source}"
                found[key] = float(roc_auc_score(truth[rows], score[rows]))
    return found
