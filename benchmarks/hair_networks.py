"""The network that is shipped, the larger one that teaches it, and the file that OpenCV reads."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hybridlesion._optional_imports import import_timm
from hybridlesion.preprocessing._occlusions import MEAN, UNIT

STEM, CHANNELS = 12, 24
DILATIONS = (1, 2, 4, 1)

# A cell is eight by eight pixels: what the teacher speaks of.
CELL = 8

IMAGENET_MEAN = np.float32([0.485, 0.456, 0.406])
IMAGENET_DEVIATION = np.float32([0.229, 0.224, 0.225])


class HairNetwork(nn.Module):
    """Logits of "hair" for every two by two pixels."""

    FAINT = 5e-4

    def __init__(self, *, norms: bool = True):
        super().__init__()
        self.stem = _block(3, STEM, kernel=4, stride=2, norm=norms)
        self.down = _block(STEM, CHANNELS, kernel=3, stride=2, norm=norms)
        self.body = nn.ModuleList(
            _block(CHANNELS, CHANNELS, kernel=3, dilation=dilation, norm=norms)
            for dilation in DILATIONS
        )
        self.head = nn.Conv2d(CHANNELS, 4, 1)
        nn.init.constant_(self.head.bias, -4)
        self.slope, self.offset = _parameter(1.0), _parameter(4.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Take images of shape (n, 3, H, W), encoded; give (n, 1, H / 2, W / 2)."""
        found = self.down(self.stem(images))
        for block in self.body:
            found = found + block(found)
        return F.pixel_shuffle(self.head(found), 2)

    @staticmethod
    def encode(images: np.ndarray) -> torch.Tensor:
        """Turn images (n, H, W, 3), 0 to 255, into what the network takes."""
        return torch.from_numpy((images.astype(np.float32) - MEAN) / UNIT).permute(0, 3, 1, 2)


class Teacher(nn.Module):
    """The first four stages of MobileNetV2, and logits of "hair somewhere in this cell"."""

    FAINT = 5e-3

    def __init__(self, weights: Path | None):
        super().__init__()
        overlay = {"file": str(weights), "hf_hub_id": None, "url": ""}
        whole = import_timm().create_model(
            "mobilenetv2_100",
            pretrained=weights is not None,
            num_classes=0,
            pretrained_cfg_overlay=overlay if weights else None,
        )
        self.encoder = nn.Sequential(whole.conv_stem, whole.bn1, *whole.blocks[:3])
        self.context = whole.blocks[3]
        self.near, self.far = nn.Conv2d(32, 64, 3, padding=1), nn.Conv2d(64, 64, 1)
        self.head = nn.Conv2d(64, 1, 1)
        nn.init.normal_(self.head.weight, 0, 0.02)
        nn.init.constant_(self.head.bias, -2)
        self.slope, self.offset = _parameter(1.0), _parameter(2.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Take images of shape (n, 3, H, W), encoded; give (n, 1, H / 8, W / 8)."""
        near = self.encoder(images)
        far = self.far(self.context(near))
        far = F.interpolate(far, size=near.shape[2:], mode="bilinear", align_corners=False)
        return self.head(F.relu(self.near(near) + far))

    def train(self, mode: bool = True) -> Teacher:
        """Keep the norms as they are: they are folded into the convolutions."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval().requires_grad_(False)
        return self

    @staticmethod
    def encode(images: np.ndarray) -> torch.Tensor:
        """Turn images (n, H, W, 3), 0 to 255, into what the network takes."""
        scaled = (images.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_DEVIATION
        # Channels stay last in memory, which the convolutions like best.
        return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def image_logits(network: HairNetwork | Teacher, logits: torch.Tensor) -> torch.Tensor:
    """Logits of "this image shows hair": a line in the logarithm of the mean probability."""
    share = logits.sigmoid().mean((1, 2, 3))
    return network.slope * torch.log(share + network.FAINT) + network.offset


def _parameter(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value))


def fold_norms(network: HairNetwork) -> HairNetwork:
    """Give the same function without norms; slope and offset of its image logits begin anew."""
    folded = HairNetwork(norms=False)
    for block, target in zip(_blocks(network), _blocks(folded), strict=True):
        conv = fuse_conv_bn_eval(block[0].eval(), block[1].eval())
        target[0].load_state_dict(conv.state_dict())
    folded.head.load_state_dict(network.head.state_dict())
    return folded


def _blocks(network: HairNetwork) -> list[nn.Sequential]:
    return [network.stem, network.down, *network.body]


def _block(
    before: int, after: int, *, kernel: int, stride: int = 1, dilation: int = 1, norm: bool
) -> nn.Sequential:
    padding = dilation * ((kernel - 1) // 2)
    conv = nn.Conv2d(before, after, kernel, stride, padding, dilation, bias=not norm)
    return nn.Sequential(conv, *([nn.BatchNorm2d(after)] if norm else []), nn.ReLU())


# --- ONNX, as far as this network needs it; https://github.com/onnx/onnx/blob/main/onnx/onnx.proto


def write_onnx(path: str | os.PathLike, network: HairNetwork) -> None:
    """Write a network without norms, for images of any size; it ends in probabilities."""
    nodes, weights = [], []

    def conv(name: str, source: str, layer: nn.Conv2d) -> str:
        for letter, values in (("w", layer.weight), ("b", layer.bias)):
            weights.append(_tensor(f"{name}_{letter}", values.detach().numpy()))
        settings = {
            "kernel_shape": layer.kernel_size,
            "strides": layer.stride,
            "dilations": layer.dilation,
            "pads": layer.padding * 2,
        }
        nodes.append(_node("Conv", [source, f"{name}_w", f"{name}_b"], name, settings))
        return name

    def relu(name: str, source: str, block: nn.Sequential) -> str:
        nodes.append(_node("Relu", [conv(f"{name}_conv", source, block[0])], name))
        return name

    last = relu("down", relu("stem", "image", network.stem), network.down)
    for number, block in enumerate(network.body):
        step = relu(f"step{number}", last, block)
        nodes.append(_node("Add", [last, step], f"sum{number}"))
        last = f"sum{number}"
    nodes.append(_node("Sigmoid", [conv("head", last, network.head)], "hair"))
    graph = b"".join(
        [_bytes(1, node) for node in nodes]
        + [_bytes(2, b"hair")]
        + [_bytes(5, tensor) for tensor in weights]
        + [_bytes(11, _value("image", (1, 3, "height", "width")))]
        + [_bytes(12, _value("hair", (1, 4, "rows", "columns")))]
    )
    opset = _bytes(1, b"") + _integer(2, 13)
    Path(path).write_bytes(_integer(1, 8) + _bytes(7, graph) + _bytes(8, opset))


def _varint(number: int) -> bytes:
    out = []
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _integer(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _tensor(name: str, values: np.ndarray) -> bytes:
    flat = values.astype("<f4").ravel()
    shape = b"".join(_integer(1, length) for length in values.shape)
    content = struct.pack(f"<{len(flat)}f", *flat)
    return shape + _integer(2, 1) + _bytes(8, name.encode()) + _bytes(9, content)


def _node(kind: str, sources: list[str], name: str, settings: dict | None = None) -> bytes:
    out = b"".join(_bytes(1, source.encode()) for source in sources)
    out += _bytes(2, name.encode()) + _bytes(3, name.encode()) + _bytes(4, kind.encode())
    for key, numbers in (settings or {}).items():
        values = b"".join(_integer(8, number) for number in numbers)
        out += _bytes(5, _bytes(1, key.encode()) + values + _integer(20, 7))
    return out


def _value(name: str, shape: tuple[int | str, ...]) -> bytes:
    sides = b"".join(
        _bytes(1, _bytes(2, side.encode()) if isinstance(side, str) else _integer(1, side))
        for side in shape
    )
    kind = _integer(1, 1) + _bytes(2, sides)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, kind))
