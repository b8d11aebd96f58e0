"""The settings of one training."""

from __future__ import annotations

from dataclasses import dataclass

from hybridlesion._validation import check_number

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """How a refiner is trained.

    Parameters
    ----------
    epochs : int, default=16
        Passes over the images.
    batch_size : int, default=16
        Images of one step.
    image_size : int, default=160
        Side of the square that the network works on, a multiple of 32 pixels.
    seed : int, default=0
        Seed of the first weights, the order of the images and their random views.
    evidence : bool, default=True
        Whether the network sees the classical evidence.
    encoder_rate : float, default=5e-4
        Peak learning rate of the encoder; a decoder that begins at random learns faster.
    decoder_rate : float, default=2.5e-3
        Peak learning rate of everything else.
    weight_decay : float, default=0.01
        Of AdamW.
    largest_gradient : float, default=5.0
        Norm to which gradients are clipped.
    averaging : float, default=0.998
        Share of the running average of weights that survives a step; smaller in the first steps.
    frozen_stages : int, default=2
        Encoder stages, after the stem, whose ImageNet weights stay. Nothing is frozen if the
        encoder begins at random.
    """

    epochs: int = 16
    batch_size: int = 16
    image_size: int = 160
    seed: int = 0
    evidence: bool = True
    encoder_rate: float = 5e-4
    decoder_rate: float = 2.5e-3
    weight_decay: float = 0.01
    largest_gradient: float = 5.0
    averaging: float = 0.998
    frozen_stages: int = 2

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
