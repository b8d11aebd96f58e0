"""A frozen backbone on one device: blocks of uint8 pixels in, rows of numbers out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridlesion._optional import import_timm
from hybridlesion.embedding.hub import check_model_name, create_pretrained
from hybridlesion.embedding.preprocess import InputSpec
from hybridlesion.embedding.weights import load_weight_file, weights_digest

if TYPE_CHECKING:
    import torch

__all__ = ["Network", "load_network"]

# On a CPU every pass has this many images, whatever was asked for: blocks that stay in cache are
# faster than large ones, and one shape means one choice of kernels, so that a row does not depend
# on how many other rows came with it.
CPU_BLOCK = 8
AGREEMENT = 1e-3  # largest relative difference accepted between the frozen graph and the model


class Network:
    """A backbone ready for inference.

    Parameters
    ----------
    model : torch.nn.Module
        timm backbone with ``num_classes=0``, or any module from images to rows, on the CPU, with
        its weights; it is taken over.
    device : str
        ``"cpu"`` or ``"cuda:N"``.
    spec : InputSpec, default=None
        What the network takes; None reads it from timm's configuration of the model.
    n_features : int, default=None
        Length of a row; None takes that of the backbone's embedding.

    Attributes
    ----------
    spec : InputSpec
        What the network takes.
    n_features : int
        Length of a row.
    digest : str
        SHA-256 of the weights.
    device : str
        Where it runs.

    Notes
    -----
    On a CPU the traced graph is frozen, its batch norms are folded into the convolutions and its
    memory is channels-last, in float32: the rows agree with the plain model to rounding. bfloat16
    is left out: on dermoscopic images its rows reach a cosine of only 0.995 with these, and they
    would depend on the CPU's type. On a GPU the model runs channels-last under float16
    autocast.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        device: str,
        *,
        spec: InputSpec | None = None,
        n_features: int | None = None,
    ):
        import torch

        timm = import_timm()
        self.spec = spec or InputSpec.of(timm.data.resolve_model_data_config(model))
        self.n_features = n_features or int(
            getattr(model, "head_hidden_size", None) or model.num_features
        )
        self.digest = weights_digest(model)
        self.device = device
        self._largest: int | None = CPU_BLOCK if device == "cpu" else None
        self._mean = 255 * torch.tensor(self.spec.mean, device=device).view(1, 3, 1, 1)
        self._std = 255 * torch.tensor(self.spec.std, device=device).view(1, 3, 1, 1)
        model = model.eval().requires_grad_(False)
        self._model = model.to(device=device, memory_format=torch.channels_last)
        # Freezing takes seconds: left to the first pass, since a process that only hands the
        # work to others never makes one.
        self._ready = device != "cpu"

    def block_size(self, batch_size: int) -> int:
        """Images of one pass.

        Parameters
        ----------
        batch_size : int
            What the user asked for.

        Returns
        -------
        int
            8 on a CPU; on a GPU `batch_size`, or what is left of it after memory ran out.
        """
        if self.device == "cpu":
            return CPU_BLOCK
        return min(batch_size, self._largest or batch_size)

    def rows(self, blocks: Iterable[np.ndarray], *, batch_size: int = 32) -> np.ndarray:
        """Embed blocks of prepared images.

        Parameters
        ----------
        blocks : iterable of ndarray of shape (n, height, width, 3), uint8
            Prepared images; n may differ from block to block.
        batch_size : int, default=32
            Images of one pass on a GPU.

        Returns
        -------
        ndarray of shape (n_images, n_features), float32
            One row an image.

        Raises
        ------
        MemoryError
            If a single image does not fit.
        """
        import torch

        # Rows stay on the device until the end, so that a GPU works while the next block is
        # being prepared here.
        with torch.inference_mode():
            parts = [part for block in blocks for part in self._passes(block, batch_size)]
            if not parts:
                return np.empty((0, self.n_features), dtype=np.float32)
            return torch.cat(parts).float().cpu().numpy()

    def _passes(self, block: np.ndarray, batch_size: int) -> list[torch.Tensor]:
        import torch

        parts, start = [], 0
        while start < len(block):
            size = self.block_size(batch_size)
            part = block[start : start + size]
            try:
                parts.append(self._forward(_padded(part, size))[: len(part)])
                start += len(part)
                continue
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise MemoryError(
                        f"One image does not fit into the memory of {self.device}. Free some of "
                        "it, choose a smaller model, or pass device='cpu'."
                    ) from error
            # Outside the handler, where the failed pass no longer holds memory.
            self._largest = size // 2
            torch.cuda.empty_cache()
        return parts

    def _forward(self, pixels: np.ndarray) -> torch.Tensor:
        import torch

        if self.device == "cpu":
            if not self._ready:
                self._model, self._ready = self._frozen(self._model), True
            return self._model(self._normalised(torch.from_numpy(pixels)))
        block = torch.from_numpy(pixels).pin_memory().to(self.device, non_blocking=True)
        with torch.autocast("cuda", dtype=torch.float16):
            return self._model(self._normalised(block))

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        # Channels are last in memory already, so the permutation is only another view.
        values = pixels.permute(0, 3, 1, 2).float()
        return values.sub_(self._mean).div_(self._std)

    def _frozen(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the traced, frozen, folded graph, or `model` where its graph cannot be traced."""
        import torch

        pixels = np.random.default_rng(0).integers(0, 256, (CPU_BLOCK, *self.spec.size, 3))
        example = self._normalised(torch.from_numpy(pixels.astype(np.uint8)))
        with warnings.catch_warnings(), torch.no_grad():
            # torch recommends its compiler instead, which needs a C++ compiler on the user's
            # machine and most of a minute; sizes taken as constants are right, since every
            # block has the same shape.
            warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning)
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
            try:
                graph = torch.jit.freeze(torch.jit.trace(model, example, check_trace=False))
                graph = torch.jit.optimize_for_inference(graph)
            except RuntimeError:
                return model
            expected = model(example)
            agrees = (graph(example) - expected).norm() <= AGREEMENT * expected.norm()
        return graph if agrees else model


def load_network(
    model: str, weights: str | os.PathLike[str] | None = None, device: str = "cpu"
) -> Network:
    """Load a backbone, or return it again if this process loaded it before.

    Parameters
    ----------
    model : str
        A timm model name.
    weights : str, path-like or None, default=None
        A weight file; None takes timm's own pretrained weights.
    device : str, default="cpu"
        ``"cpu"`` or ``"cuda:N"``.

    Returns
    -------
    Network
        Ready for inference. The last two are kept in memory, so that clones of an embedder and
        the many tasks of one worker process share one network.

    Raises
    ------
    ValueError
        If timm has no such model.
    SourceError
        If the weights cannot be found.
    ArtifactError
        If the weights do not fit the model.
    """
    check_model_name(model)
    if weights is None:
        return _load(model, None, None, device)
    file = Path(weights).expanduser().absolute()
    status = file.stat() if file.is_file() else None
    # A file that was written anew is another file.
    stamp = (status.st_mtime_ns, status.st_size) if status else None
    return _load(model, file, stamp, device)


@lru_cache(maxsize=2)
def _load(model: str, file: Path | None, stamp: tuple[int, int] | None, device: str) -> Network:
    if file is None:
        return Network(create_pretrained(model), device)
    backbone = import_timm().create_model(model, pretrained=False, num_classes=0)
    load_weight_file(backbone, file)
    return Network(backbone, device)


def _padded(block: np.ndarray, size: int) -> np.ndarray:
    """Repeat the last image until the block has `size` of them."""
    missing = size - len(block)
    return np.concatenate([block, block[-1:].repeat(missing, axis=0)]) if missing else block
