"""Several networks as one: a row of log odds for each image."""

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
        return torch.stack([network(images)[0] for network in self.networks], dim=1)
