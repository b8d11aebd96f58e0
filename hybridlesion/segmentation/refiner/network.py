"""Network of the refiner: a truncated MobileNetV2 with classical evidence as additional input."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hybridlesion._depthwise import DepthwiseConv2d
from hybridlesion.exceptions import ArtifactError

# Mask, signed distance to its boundary, lesion likelihood.
EVIDENCE_CHANNELS = 3

# Expansion, channels, blocks and stride of the MobileNetV2 stages in use. The later stages work at
# 1/32 of the resolution and contain most of the weights, but contribute little to a mask.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 1, 2),
)


class RefinerNetwork(nn.Module):
    """Network that finds lesion and structures from the image and the classical evidence.

    The encoder is MobileNetV2 up to its first block of 160 channels, with batch norms folded into
    the convolutions. The decoder is a U-Net of depthwise separable convolutions that receives the
    evidence at every scale.

    Parameters
    ----------
    evidence : bool, default=True
        Whether the evidence is used; False is meant for ablations.
    n_structures : int, default=0
        Number of dermoscopic structures that are mapped in addition to the lesion.

    Notes
    -----
    741,237 parameters without structures, 743,242 with five; 1.5 MB as float16.

    References
    ----------
    .. [1] M. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018.
    .. [2] O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical image
       segmentation", MICCAI 2015.
    """

    def __init__(self, *, evidence: bool = True, n_structures: int = 0):
        super().__init__()
        self.evidence = evidence
        self.stem = _conv(3, 32, 3, stride=2)
        self.stages = nn.ModuleList()
        channels = 32
        for expansion, width, blocks, stride in _STAGES:
            first = _InvertedResidual(channels, width, expansion, stride)
            others = (_InvertedResidual(width, width, expansion, 1) for _ in range(1, blocks))
            self.stages.append(nn.Sequential(first, *others))
            channels = width
        extra = EVIDENCE_CHANNELS if evidence else 0
        self.top = _lateral(160, 96)
        skips = ((96, 96), (32, 48), (24, 32), (16, 16))
        self.skips = nn.ModuleList(_lateral(*widths) for widths in skips)
        last = 32 if n_structures else 24
        decoders = ((96, 80), (80 + 48, 56), (56 + 32, 40), (40 + 16, last))
        self.decoders = nn.ModuleList(_separable(into + extra, out) for into, out in decoders)
        self.head = nn.Conv2d(last, 1 + n_structures, 3, padding=1)

    def forward(self, image: torch.Tensor, evidence: torch.Tensor | None = None) -> torch.Tensor:
        """Return the logits of lesion and structures for each pixel.

        Parameters
        ----------
        image : Tensor of shape (n, 3, S, S)
            RGB, ImageNet-normalised; S a multiple of 32.
        evidence : Tensor of shape (n, 3, S, S), default=None
            Mask, signed distance and likelihood, each in -1 to 1.

        Returns
        -------
        Tensor of shape (n, 1 + n_structures, S, S)
            Logits, those of the lesion first.
        """
        x = self.stem(image)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        at_2, at_4, at_8, _, at_16, at_32 = maps
        y = self.top(at_32)
        y = _upsample(y + y.mean((2, 3), keepdim=True)) + self.skips[0](at_16)
        y = self.decoders[0](self._with_evidence([y], evidence))
        finer = (at_8, at_4, at_2)
        for decoder, skip, below in zip(self.decoders[1:], self.skips[1:], finer, strict=True):
            y = decoder(self._with_evidence([_upsample(y), skip(below)], evidence))
        return _upsample(self.head(y))

    def _with_evidence(
        self, maps: list[torch.Tensor], evidence: torch.Tensor | None
    ) -> torch.Tensor:
        if self.evidence:
            maps = [*maps, F.avg_pool2d(evidence, evidence.shape[-1] // maps[0].shape[-1])]
        return torch.cat(maps, 1) if len(maps) > 1 else maps[0]


def load_imagenet_encoder(network: RefinerNetwork, state: dict[str, torch.Tensor]) -> None:
    """Copy timm's ``mobilenetv2_100`` into the encoder, folding its batch norms.

    Parameters
    ----------
    network : RefinerNetwork
        Modified in place.
    state : dict of str to Tensor
        State of ``timm.create_model("mobilenetv2_100")``, with or without its classifier.

    Raises
    ------
    ArtifactError
        If the state is that of a different network.
    """
    try:
        _copy_folded(network.stem[0], state, "conv_stem", "bn1")
        for number, stage in enumerate(network.stages):
            for position, block in enumerate(stage):
                prefix = f"blocks.{number}.{position}."
                names = ("conv_pw", "conv_dw", "conv_pwl")
                if len(block.body) == 2:
                    names = ("conv_dw", "conv_pw")
                for index, (part, name) in enumerate(zip(block.body, names, strict=True), start=1):
                    _copy_folded(part[0], state, prefix + name, f"{prefix}bn{index}")
    except (KeyError, RuntimeError) as error:
        raise ArtifactError(
            f"the encoder weights are not those of timm's mobilenetv2_100 ({error}). Pass a weight "
            "file of that network, or None for random weights."
        ) from error


def _copy_folded(conv: nn.Conv2d, state: dict, name: str, norm: str) -> None:
    variance = state.get(f"{norm}.running_var", torch.tensor(1.0))
    mean = state.get(f"{norm}.running_mean", torch.tensor(0.0))
    gain = state[f"{norm}.weight"] / torch.sqrt(variance + 1e-5)
    with torch.no_grad():
        conv.weight.copy_(state[f"{name}.weight"] * gain[:, None, None, None])
        conv.bias.copy_(state[f"{norm}.bias"] - mean * gain)


class _InvertedResidual(nn.Module):
    def __init__(self, channels: int, width: int, expansion: int, stride: int):
        super().__init__()
        inner = channels * expansion
        expand = [] if expansion == 1 else [_conv(channels, inner, 1)]
        depthwise = nn.Sequential(DepthwiseConv2d(inner, 3, stride), nn.ReLU6(inplace=True))
        self.body = nn.Sequential(*expand, depthwise, nn.Sequential(nn.Conv2d(inner, width, 1)))
        self.shortcut = stride == 1 and channels == width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.shortcut else self.body(x)


def _separable(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        DepthwiseConv2d(channels, 3, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
        *_lateral(channels, width),
        nn.ReLU6(inplace=True),
    )


def _conv(channels: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, kernel // 2),
        nn.ReLU6(inplace=True),
    )


def _lateral(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width))


def _upsample(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
