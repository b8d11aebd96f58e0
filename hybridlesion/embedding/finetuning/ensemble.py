"""Several networks as one: a row of log odds for each image, averaged with its mirror image's."""

from __future__ import annotations

import torch
from torch import nn

from hybridlesion.embedding.finetuning.network import LesionNetwork

__all__ = ["Ensemble"]


class Ensemble(nn.Module):
    """Networks side by side.

    Parameters
    ----------
    networks : list of LesionNetwork
        Of one backbone.
    """

    def __init__(self, networks: list[LesionNetwork]):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score images.

        Parameters
        ----------
        images : Tensor of shape (n, 3, S, S)
            Normalised.

        Returns
        -------
        Tensor of shape (n, n_networks)
            Log odds of malignancy.
        """
        both = torch.cat([images, images.flip(3)])
        odds = torch.stack([network(both)[0] for network in self.networks], dim=1)
        return odds.view(2, -1, len(self.networks)).mean(dim=0)
