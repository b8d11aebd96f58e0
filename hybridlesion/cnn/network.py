"""Network of a timm backbone with heads for malignancy and diagnosis."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from hybridlesion._atomic import atomic_path
from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn.backbone import check_model_name, create_pretrained, load_weight_file
from hybridlesion.cnn.views import InputSpec
from hybridlesion.exceptions import ArtifactError


class LesionNetwork(nn.Module):
    """Backbone and heads.

    Parameters
    ----------
    backbone : nn.Module
        timm model with ``num_classes=0``.
    n_diagnoses : int
        Classes of the auxiliary head; 0 leaves it out.
    dropout : float, default=0.0
        Dropout rate of the embedding in training.

    Notes
    -----
    Batch norms stay in evaluation mode: their statistics come from pretraining on far more images
    than a batch. Scale and shift are learned.
    """

    def __init__(self, backbone: nn.Module, n_diagnoses: int, dropout: float = 0.0):
        super().__init__()
        self.backbone = backbone
        width = int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)
        self.dropout = nn.Dropout(dropout)
        self.malignancy = nn.Linear(width, 1)
        self.diagnosis = nn.Linear(width, n_diagnoses) if n_diagnoses else None
        nn.init.zeros_(self.malignancy.weight)
        nn.init.zeros_(self.malignancy.bias)

    def train(self, mode: bool = True) -> LesionNetwork:
        """Set the mode of the heads; the backbone stays in evaluation mode.

        Parameters
        ----------
        mode : bool, default=True
            Whether dropout is active.

        Returns
        -------
        LesionNetwork
            This network.
        """
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Score images.

        Parameters
        ----------
        images : Tensor of shape (n, 3, S, S)
            Normalised.

        Returns
        -------
        malignancy : Tensor of shape (n,)
            Log odds.
        diagnosis : Tensor of shape (n, n_diagnoses) or None
            Logits.
        """
        embedding = self.dropout(self.backbone(images))
        diagnosis = None if self.diagnosis is None else self.diagnosis(embedding)
        return self.malignancy(embedding)[:, 0], diagnosis

    def blocks(self) -> list[list[nn.Parameter]]:
        """Parameters of the backbone in groups from its input to its output.

        Returns
        -------
        list of list of Parameter
            One group per child of the backbone; sequences are expanded.
        """
        groups = []
        for child in self.backbone.children():
            parts = child if isinstance(child, (nn.Sequential, nn.ModuleList)) else (child,)
            groups += [list(part.parameters()) for part in parts]
        return [group for group in groups if group]


def create_network(
    backbone: str, weights: str | None, n_diagnoses: int, *, dropout: float, seed: int
) -> LesionNetwork:
    """Create a network with a pretrained backbone.

    Parameters
    ----------
    backbone : str
        A timm model name.
    weights : str or None
        Its weight file; None takes timm's own.
    n_diagnoses : int
        Classes of the auxiliary head.
    dropout : float
        Of the heads.
    seed : int
        Seed of the diagnosis head; the other begins at zero.

    Returns
    -------
    LesionNetwork
        On the CPU.

    Raises
    ------
    OptionError
        If timm has no such model.
    SourceError
        If the weights cannot be found.
    ArtifactError
        If they do not fit.
    """
    if weights is None:
        model = create_pretrained(check_model_name(backbone))
    else:
        timm = import_timm()
        model = timm.create_model(check_model_name(backbone), pretrained=False, num_classes=0)
        load_weight_file(model, weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LesionNetwork(model, n_diagnoses, dropout)


def input_spec(network: LesionNetwork, side: int) -> InputSpec:
    """Describe the input of a network for scoring.

    Parameters
    ----------
    network : LesionNetwork
        The network.
    side : int
        Side in pixels of the square that it was fine-tuned on.

    Returns
    -------
    InputSpec
        That of its backbone, with another size and without a margin.
    """
    config = import_timm().data.resolve_model_data_config(network.backbone)
    return InputSpec.of(config | {"input_size": (3, side, side), "crop_pct": 1.0})


class NetworkEnsemble(nn.Module):
    """Several networks, evaluated on the same images.

    Parameters
    ----------
    networks : list of nn.Module
        Of one backbone: `LesionNetwork`, or classifiers of diagnoses.
    """

    def __init__(self, networks: list[nn.Module]):
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
        Tensor of shape (n, n_networks) or (n, n_networks * n_classes)
            Log odds of malignancy, or the logits of each network's classes.
        """
        found = [network(images) for network in self.networks]
        return torch.cat([one[0][:, None] if isinstance(one, tuple) else one for one in found], 1)


def save_network(path: Path, network: LesionNetwork) -> None:
    """Write the weights of one network as float16, atomically.

    Parameters
    ----------
    path : Path
        File to write.
    network : LesionNetwork
        The network.
    """
    # The diagnosis head is auxiliary, and step counters are not needed.
    state = {
        name: value.detach().cpu().to(torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if value.dtype.is_floating_point and not name.startswith("diagnosis.")
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(state))


def load_network_state(data: bytes, backbone: str, name: str, n_classes: int = 0) -> nn.Module:
    """Build a network from its weight file.

    Parameters
    ----------
    data : bytes
        The file.
    backbone : str
        Its timm model name.
    name : str
        Name of the file in messages.
    n_classes : int, default=0
        Outputs of timm's own classifier; 0 for the weights of a `LesionNetwork` that
        `save_network` wrote.

    Returns
    -------
    nn.Module
        In evaluation mode, float32, on the CPU; a `LesionNetwork` has no diagnosis head.

    Raises
    ------
    ArtifactError
        If it does not fit the backbone.
    """
    timm = import_timm()
    model = timm.create_model(check_model_name(backbone), pretrained=False, num_classes=n_classes)
    network = model if n_classes else LesionNetwork(model, 0)
    try:
        state = {key: value.float() for key, value in load(data).items()}
        network.load_state_dict(_counters(network) | state)
    except (RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(f"{name} does not fit {backbone}: {reason}") from error
    return network.eval()


def _counters(network: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v for k, v in network.state_dict().items() if not v.dtype.is_floating_point}
