"""Networks with a timm backbone: creation, training with folded batch norms, weight files."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn
from torch.nn import functional as F

from hybridlesion._atomic import atomic_path
from hybridlesion._depthwise import depthwise_conv2d, is_fast_depthwise
from hybridlesion._onnx import read_weights
from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn.backbone import check_model_name, create_backbone
from hybridlesion.cnn.diagnosis import CLASSES
from hybridlesion.cnn.views import InputSpec
from hybridlesion.exceptions import ArtifactError

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class LesionNetwork(nn.Module):
    """Backbone and malignancy head of protocol 1.

    Parameters
    ----------
    backbone : nn.Module
        A timm model with ``num_classes=0``.
    """

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone
        width = int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)
        self.malignancy = nn.Linear(width, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score images.

        Parameters
        ----------
        images : Tensor of shape (n, 3, S, S)
            Normalised images.

        Returns
        -------
        Tensor of shape (n,)
            Log odds of malignancy.
        """
        return self.malignancy(self.backbone(images))[:, 0]


def create_network(backbone: str, weights: str | None, *, dropout: float = 0.0) -> nn.Module:
    """Create a pretrained network with one output for each diagnosis.

    Parameters
    ----------
    backbone : str
        Name of a timm model.
    weights : str or None
        Weight file of the backbone. If None, the pretrained timm weights are used.
    dropout : float, default=0.0
        Dropout rate of the embedding in training.

    Returns
    -------
    nn.Module
        A timm model on the CPU, with the classifier set to zero.

    Raises
    ------
    OptionError
        If the model does not exist in timm.
    SourceError
        If the weights cannot be found.
    ArtifactError
        If the weights do not fit the model.
    """
    model: Any = create_backbone(check_model_name(backbone), weights)
    model.reset_classifier(len(CLASSES))
    model.drop_rate = dropout
    for parameter in head_of(model):
        nn.init.zeros_(parameter)
    return model


def head_of(network: Any) -> list[nn.Parameter]:
    """Return the parameters of the classifier.

    Parameters
    ----------
    network : nn.Module
        A timm model.

    Returns
    -------
    list of Parameter
        Weight and bias.
    """
    return list(network.get_classifier().parameters())


def set_training(network: nn.Module) -> nn.Module:
    """Activate dropout, but keep batch norms in evaluation mode.

    Parameters
    ----------
    network : nn.Module
        Network to modify in place.

    Returns
    -------
    nn.Module
        The same network.

    Notes
    -----
    The statistics of the batch norms were estimated in pretraining, on far more images than a batch
    contains. Scale and shift are still learned.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, _NORMS):
            module.eval()
    return network


def blocks_of(network: nn.Module) -> list[list[nn.Parameter]]:
    """Group the parameters of a network from input to output, without the classifier.

    Parameters
    ----------
    network : nn.Module
        A timm model.

    Returns
    -------
    list of list of Parameter
        One group per child module, with sequences expanded.
    """
    head = {id(p) for p in head_of(network)}
    groups = []
    for child in network.children():
        parts = child if isinstance(child, (nn.Sequential, nn.ModuleList)) else (child,)
        groups += [[p for p in part.parameters() if id(p) not in head] for part in parts]
    return [group for group in groups if group]


class _FoldedConv(nn.Module):
    """Convolution combined with a subsequent batch norm that has fixed statistics."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d):
        super().__init__()
        self.conv, self.norm = conv, norm
        self.depthwise = is_fast_depthwise(conv)
        # Convolutions of timm with TensorFlow padding.
        self.same = isinstance(conv, import_timm().layers.Conv2dSame)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        conv, norm = self.conv, self.norm
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        bias = norm.bias - norm.running_mean * gain
        if conv.bias is not None:
            bias = bias + conv.bias * gain
        weight = conv.weight * gain[:, None, None, None]
        if self.same:
            pad_same = import_timm().layers.pad_same
            x = pad_same(x, conv.kernel_size, conv.stride, conv.dilation)
        if self.depthwise:
            return depthwise_conv2d(x, weight, bias, conv.stride[0], conv.padding[0])
        return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def fold_norms(network: nn.Module) -> nn.Module:
    """Fold batch norms in evaluation mode into the convolutions before them.

    Parameters
    ----------
    network : nn.Module
        Network on its device.

    Returns
    -------
    nn.Module
        Equivalent network with fewer passes over memory, which nearly doubles the speed of training
        on a CPU. All parameters and buffers are shared with `network`, so that both are trained
        together. If the network has no such batch norms, a plain copy is returned.
    """
    tensors = [*network.parameters(), *network.buffers()]
    folded = set_training(copy.deepcopy(network, {id(tensor): tensor for tensor in tensors}))
    modules = dict(folded.named_modules())
    for first, second in _adjacent_pairs(folded):
        conv, norm = modules[first], modules[second]
        rest = [getattr(norm, name) for name in ("drop", "act") if hasattr(norm, name)]
        for act in rest:
            # If ReLU6 works in place, torch copies its input for the gradient.
            if isinstance(act, nn.ReLU6):
                act.inplace = False
        _replace(folded, first, _FoldedConv(conv, norm))
        _replace(folded, second, nn.Sequential(*rest))
    return folded


def _adjacent_pairs(network: nn.Module) -> list[tuple[str, str]]:
    """List the names of convolutions that feed a batch norm, paired with that norm."""
    made: dict[int, tuple[str, torch.Tensor]] = {}
    pairs, hooks = [], []

    def after(name: str, module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            made[id(output)] = name, output
        elif id(inputs[0]) in made and module.affine and module.track_running_stats:
            pairs.append((made[id(inputs[0])][0], name))

    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            hooks.append(module.register_forward_hook(partial(after, name)))
    device = next(network.parameters()).device
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64, device=device))
    for hook in hooks:
        hook.remove()
    return pairs


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def as_input(views: np.ndarray, spec: InputSpec, device: str) -> torch.Tensor:
    """Normalise views, keeping the channels-last memory layout.

    Parameters
    ----------
    views : ndarray of shape (n, S, S, 3), uint8
        RGB views.
    spec : InputSpec
        Mean and standard deviation of the backbone.
    device : str
        Device of the network.

    Returns
    -------
    Tensor of shape (n, 3, S, S), float32
        Input of the network.
    """
    mean, std = (
        255 * torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (spec.mean, spec.std)
    )
    images = torch.from_numpy(views).to(device).permute(0, 3, 1, 2).float()
    return images.sub_(mean).div_(std)


def input_spec(network: nn.Module, side: int) -> InputSpec:
    """Return the input specification of a network for scoring.

    Parameters
    ----------
    network : nn.Module
        A timm model, or a network of protocol 1.
    side : int
        Side of the square views used in fine-tuning, in pixels.

    Returns
    -------
    InputSpec
        Input of the backbone, with the given size and without cropping.
    """
    config = import_timm().data.resolve_model_data_config(getattr(network, "backbone", network))
    return InputSpec.of(config | {"input_size": (3, side, side), "crop_pct": 1.0})


class NetworkEnsemble(nn.Module):
    """Ensemble of networks that are evaluated on the same images.

    Parameters
    ----------
    networks : list of nn.Module
        Networks with the same backbone, either `LesionNetwork` or diagnosis classifiers.
    embedding : bool, default=False
        Whether rows end with the embedding of the first network, a diagnosis classifier.
    """

    def __init__(self, networks: list[nn.Module], *, embedding: bool = False):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.embedding = embedding

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score images.

        Parameters
        ----------
        images : Tensor of shape (n, 3, S, S)
            Normalised images.

        Returns
        -------
        Tensor of shape (n, n_networks) or (n, n_networks * n_classes + width)
            Log odds of malignancy, or the class logits of each network and the embedding.
        """
        if self.embedding:
            first: Any
            first, *others = self.networks
            vector = first.forward_head(first.forward_features(images), pre_logits=True)
            found = [first.get_classifier()(vector), *(network(images) for network in others)]
            return torch.cat([*found, vector], dim=1)
        found = [network(images) for network in self.networks]
        return torch.cat([one[:, None] if one.ndim == 1 else one for one in found], dim=1)


def save_network(path: Path, network: nn.Module) -> None:
    """Write the weights of a network as float16, atomically.

    Parameters
    ----------
    path : Path
        File to write.
    network : nn.Module
        Network to save.
    """
    # The counters of batch norms are not needed.
    state = {
        name: value.detach().cpu().to(torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if value.dtype.is_floating_point
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(state))


def load_network_state(data: bytes, backbone: str, name: str, n_classes: int = 0) -> nn.Module:
    """Build a network from its weight file.

    Parameters
    ----------
    data : bytes
        Content of the file.
    backbone : str
        Name of the timm model.
    name : str
        Name of the file in messages.
    n_classes : int, default=0
        Number of outputs of the timm classifier; 0 for the weights of a `LesionNetwork`.

    Returns
    -------
    nn.Module
        Network in evaluation mode and float32, on the CPU.

    Raises
    ------
    ArtifactError
        If the weights do not fit the backbone.
    """
    timm = import_timm()
    model = timm.create_model(check_model_name(backbone), pretrained=False, num_classes=n_classes)
    network = model if n_classes else LesionNetwork(model)
    try:
        state = {key: torch.tensor(value) for key, value in read_weights(data).items()}
        network.load_state_dict(_counters(network) | state)
    except (RuntimeError, ArtifactError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(f"{name} does not fit {backbone}: {reason}") from error
    return network.eval()


def _counters(network: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v for k, v in network.state_dict().items() if not v.dtype.is_floating_point}
