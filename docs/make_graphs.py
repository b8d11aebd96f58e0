"""Write the ONNX graphs of the networks, without weights, into the package.

Run with ``python docs/make_graphs.py`` after a change of a network; needs the packages onnx and
onnxscript beside torch. A weight of the graph has the name that it has in the state dict of torch,
and is supplied when the graph is loaded (`hybridlesion._onnx`).
"""

from __future__ import annotations

import argparse
import io
import itertools
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from hybridlesion import cnn, segmentation
from hybridlesion._optional_imports import import_timm
from hybridlesion.segmentation.refiner import STRUCTURES
from hybridlesion.segmentation.refiner.network import RefinerNetwork

# Channels that ONNX Runtime's fastest convolutions process at a time.
BLOCK = 16

BACKBONES = ("tf_efficientnet_lite0", "mobilenetv2_100")


class Classifier(nn.Module):
    """Backbone with classifier, from uint8 pixels to logits and embedding.

    Parameters
    ----------
    model : nn.Module
        timm model with 8 outputs.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        # Names of the two initializers that the note of a network gives, times 255.
        self.input_mean = nn.Parameter(torch.empty(1, 3, 1, 1))
        self.input_std = nn.Parameter(torch.empty(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Classify and embed images.

        Parameters
        ----------
        pixels : Tensor of shape (n, H, W, 3), uint8
            RGB images.

        Returns
        -------
        logits : Tensor of shape (n, 8)
            Logits.
        embedding : Tensor of shape (n, n_features)
            Input of the classifier.
        """
        values = pixels.permute(0, 3, 1, 2).float()
        maps = self.model.forward_features((values - self.input_mean) / self.input_std)
        embedding = self.model.forward_head(maps, pre_logits=True)
        return self.model.get_classifier()(embedding), embedding


class EvenConv2d(nn.Conv2d):
    """Convolution that pads as TensorFlow does ("SAME") where the sides of the input are even."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve.

        Parameters
        ----------
        x : Tensor of shape (n, channels, H, W)
            Feature map.

        Returns
        -------
        Tensor
            The convolution; half of each side for a stride of two.
        """
        total = self.kernel_size[0] - self.stride[0]
        pad = (total // 2, total - total // 2) * 2
        x = nn.functional.pad(x, pad)
        return nn.functional.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)


class WideRefiner(RefinerNetwork):
    """Refiner whose decoder works on whole blocks of channels, the last of them filled with zeros.

    The weights are the same, and are padded when the graph is loaded.
    """

    def __init__(self, **options: bool | int):
        super().__init__(**options)
        for decoder in self.decoders:
            decoder.__class__ = WideDecoder

    def _with_evidence(
        self, maps: list[torch.Tensor], evidence: torch.Tensor | None
    ) -> torch.Tensor:
        x = super()._with_evidence(maps, evidence)
        return nn.functional.pad(x, (0, 0, 0, 0, 0, -int(x.shape[1]) % BLOCK), value=0.0)


class WideDecoder(nn.Sequential):
    """Depthwise separable convolution of maps padded to whole blocks of channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve.

        Parameters
        ----------
        x : Tensor of shape (n, channels, H, W)
            Maps, zero in the padded channels.

        Returns
        -------
        Tensor of shape (n, width, H, W)
            Maps without padding.
        """
        depthwise, norm, relu, pointwise, *rest = self
        spare = -depthwise.in_channels % BLOCK
        kernels = _fill(depthwise.weight, 0, spare)
        x = nn.functional.conv2d(x, kernels, padding=1, groups=len(kernels))
        moments = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        filled = [_fill(one, 0, spare) for one in moments]
        x = relu(nn.functional.batch_norm(x, *filled, eps=norm.eps))
        x = nn.functional.conv2d(x, _fill(pointwise.weight, 1, spare))
        return nn.Sequential(*rest)(x)


def _fill(weight: torch.Tensor, axis: int, n: int) -> torch.Tensor:
    shape = list(weight.shape)
    shape[axis] = n
    return torch.cat([weight, torch.zeros(shape)], axis)


class Refiner(nn.Module):
    """Refiner, from images and evidence with the channels last to probabilities.

    Parameters
    ----------
    network : RefinerNetwork
        The network.
    """

    def __init__(self, network: RefinerNetwork):
        super().__init__()
        self.model = network

    def forward(self, image: torch.Tensor, *evidence: torch.Tensor) -> torch.Tensor:
        """Segment images.

        Parameters
        ----------
        image : Tensor of shape (n, S, S, 3)
            Normalised image.
        *evidence : Tensor of shape (n, S, S, 3)
            Classical evidence, if the network uses it.

        Returns
        -------
        Tensor of shape (n, 1 + n_structures, S, S)
            Probabilities of lesion and structures.
        """
        inputs = (values.permute(0, 3, 1, 2) for values in (image, *evidence))
        return self.model(*inputs).sigmoid()


def export(model: nn.Module, inputs: dict[str, torch.Tensor], *outputs: str) -> bytes:
    """Export a graph whose weights are supplied when it is loaded.

    Parameters
    ----------
    model : nn.Module
        Wrapper of a network ``model``.
    inputs : dict of str to Tensor
        Example of each input; the first three axes are dynamic.
    *outputs : str
        Names of the outputs.

    Returns
    -------
    bytes
        The graph.
    """
    # The exporter would share weights of equal values.
    for weight in model.state_dict().values():
        if weight.is_floating_point():
            weight.uniform_(0.5, 1.5)
    buffer = io.BytesIO()
    axes = {name: {0: "n", 1: "height", 2: "width"} for name in inputs}
    with warnings.catch_warnings():
        # The exporter of torch.export folds the weights, and loses their names.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            tuple(inputs.values()),
            buffer,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes | {name: {0: "n"} for name in outputs},
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            opset_version=17,
            dynamo=False,
        )
    graph = onnx.load_from_string(buffer.getvalue())
    weights = model.state_dict()
    for tensor in graph.graph.initializer:
        if tensor.name in weights:
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="supplied")
            _rename(graph.graph, tensor)
    for node in graph.graph.node:
        node.ClearField("doc_string")
        node.ClearField("name")
    return graph.SerializeToString()


def _rename(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
    name = tensor.name.removeprefix("model.")
    for node in graph.node:
        for place, source in enumerate(node.input):
            if source == tensor.name:
                node.input[place] = name
    tensor.name = name


def main() -> None:
    """Write all graphs."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    folder = Path(cnn.__file__).parent
    for name in BACKBONES:
        model = import_timm().create_model(name, num_classes=8, exportable=True)
        for part in model.modules():
            if type(part).__name__ == "Conv2dSame":
                part.__class__ = EvenConv2d
        pixels = torch.randint(0, 256, (2, 96, 96, 3), dtype=torch.uint8)
        graph = export(Classifier(model), {"pixels": pixels}, "logits", "embedding")
        (folder / f"{name}.onnx").write_bytes(graph)
        print(f"{name}.onnx: {len(graph):,} bytes")
    square = torch.randn(2, 96, 96, 3)
    for n_structures, evidence in itertools.product((0, len(STRUCTURES)), (True, False)):
        inputs = {"image": square} | ({"evidence": square.clone()} if evidence else {})
        network = WideRefiner(evidence=evidence, n_structures=n_structures)
        graph = export(Refiner(network), inputs, "probability")
        name = f"refiner{'_structures' * bool(n_structures)}{'_without_evidence' * (not evidence)}"
        (Path(segmentation.__file__).parent / "refiner" / f"{name}.onnx").write_bytes(graph)
        print(f"{name}.onnx: {len(graph):,} bytes")


if __name__ == "__main__":
    main()
