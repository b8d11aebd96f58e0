"""The settings of one fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from hybridlesion._validation import check_number

__all__ = ["FinetuneRecipe"]


@dataclass(frozen=True)
class FinetuneRecipe:
    """How a backbone is fine-tuned.

    Parameters
    ----------
    epochs : int, default=16
        Passes; one draws as many images as there are to train on.
    batch_size : int, default=32
        Images of one step.
    accumulate : int, default=1
        Steps whose gradients are summed before the weights move.
    image_size : int, default=160
        Side of the square that the network sees, in pixels.
    first_size : int, default=128
        Side in the first half of the epochs, which is quicker and learns as much there.
    seed : int, default=0
        Seed of the head's first weights, the draws and the random views.
    frozen : float, default=0.4
        Share of the backbone's blocks, from the input on, whose weights stay.
    warm_up : float, default=0.1
        Share of all steps in which the rates rise; afterwards they fall along a cosine. In the
        same share only the head learns.
    backbone_rate : float, default=4e-4
        Peak learning rate of the backbone's last block; each block before it learns 0.8 times as
        fast as the next.
    head_rate : float, default=2e-3
        Peak learning rate of the head.
    weight_decay : float, default=0.05
        Of AdamW.
    averaging : float, default=0.998
        Share of the running average of weights that survives a step; smaller in the first steps.
    positives : float, default=0.35
        Share of malignant lesions among the drawn images of each source.
    most_repeats : float, default=4.0
        How often, at most, a malignant lesion comes in one epoch.
    dropout : float, default=0.2
        Share of the embedding that the head misses in training.
    auxiliary : float, default=0.3
        Weight of the diagnosis's cross-entropy beside that of malignancy; 0 leaves it out.
    disturbed : bool, default=True
        Whether views get other light, blur, hair, dark corners and blots, besides being turned.
    light : float, default=0.4
        How far the light of disturbed views changes, as a share of what masks are taught with: a
        lesion's colours tell what it is more than where it ends.
    patience : int, default=0
        Epochs without a better score on validation images after which training stops and the best
        average is kept; 0 trains on all images to the end.
    """

    epochs: int = 16
    batch_size: int = 32
    accumulate: int = 1
    image_size: int = 160
    first_size: int = 128
    seed: int = 0
    frozen: float = 0.4
    warm_up: float = 0.1
    backbone_rate: float = 4e-4
    head_rate: float = 2e-3
    weight_decay: float = 0.05
    averaging: float = 0.998
    positives: float = 0.35
    most_repeats: float = 4.0
    dropout: float = 0.2
    auxiliary: float = 0.3
    disturbed: bool = True
    light: float = 0.4
    patience: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size", "accumulate"):
            check_number(name, getattr(self, name), low=1, integer=True)
        for name in ("seed", "patience"):
            check_number(name, getattr(self, name), low=0, integer=True)
        check_number("light", self.light, low=0)
        for name in ("image_size", "first_size"):
            check_number(name, getattr(self, name), low=32, integer=True)
        for name in ("frozen", "warm_up", "positives", "dropout", "averaging"):
            check_number(name, getattr(self, name), low=0, high=1)

    def size(self, epoch: int) -> int:
        """Side of the views of an epoch, in pixels.

        Parameters
        ----------
        epoch : int
            From 0.

        Returns
        -------
        int
            `first_size` in the first half, `image_size` in the second.

        Examples
        --------
        >>> [FinetuneRecipe(epochs=3).size(epoch) for epoch in range(3)]
        [128, 160, 160]
        """
        return self.first_size if epoch < self.epochs // 2 else self.image_size
