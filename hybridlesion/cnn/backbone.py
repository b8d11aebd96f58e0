"""Frozen timm backbones for inference on one device, and their weight files."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from hybridlesion._formatting import shorten
from hybridlesion._optional_imports import import_timm
from hybridlesion._validation import check_image, check_mask
from hybridlesion.cnn.views import ImageView, InputSpec
from hybridlesion.exceptions import ArtifactError, OptionError, SourceError

if TYPE_CHECKING:
    import torch

# Prefixes that training loops add to the names of a backbone's parameters.
PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "encoder.")
# Keys under which training loops store the weights in a checkpoint, with averaged weights first.
CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
# Names of the last layer, for models whose configuration lacks it.
CLASSIFIERS = ("classifier", "fc", "head", "head.fc")
# Exceptions that torch raises while reading, depending on where the file is damaged.
UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    EOFError,
    OSError,
    pickle.UnpicklingError,
)


def load_weight_file(model: torch.nn.Module, path: str | os.PathLike[str]) -> None:
    """Load a local weight file into a backbone that has no classifier.

    Parameters
    ----------
    model : torch.nn.Module
        Backbone created by ``timm.create_model(..., num_classes=0)``, modified in place.
    path : str or path-like
        A ``.safetensors`` file, or a ``.pth``, ``.pt``, ``.bin`` or ``.ckpt`` file that contains
        only tensors. The prefixes ``module.``, ``model.``, ``backbone.``, ``encoder.`` and
        ``_orig_mod.`` are removed from the names, and any classifier in the file is ignored.

    Raises
    ------
    SourceError
        If the file does not exist.
    ArtifactError
        If the file cannot be read as weights, or if names or shapes differ from those of the model.
        The message gives the number of differences and lists the first few.
    """
    wanted = model.state_dict()
    found = {_bare_name(k, wanted): v for k, v in read_state_dict(path).items()}
    found = {k: v for k, v in found.items() if k in wanted or not _is_classifier(k, model)}
    # Counters of training steps, which are missing in older checkpoints and unused in inference.
    found = {k: v for k, v in wanted.items() if k.endswith("num_batches_tracked")} | found
    problems = _differences(found, wanted)
    if problems:
        raise ArtifactError(
            f"The weights in {os.fspath(path)} are not those of this model:\n"
            + "\n".join(f"  - {problem}" for problem in problems)
            + "\nName the model that the file was made with, by its exact timm name."
        )
    model.load_state_dict(found)


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read the tensors of a weight file to the CPU, without running any code from the file.

    Parameters
    ----------
    path : str or path-like
        A ``.safetensors`` file, or any file that ``torch.load(weights_only=True)`` accepts.

    Returns
    -------
    dict of str to torch.Tensor
        Tensors by their names in the file.

    Raises
    ------
    SourceError
        If the file does not exist.
    ArtifactError
        If the file is not readable, or contains anything other than tensors.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "not there"
        raise SourceError(f"the weight file {file} is {kind}; name a .safetensors or .pth file.")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(file) if file.suffix == ".safetensors" else _read_pickle(file)
    except (*UNREADABLE, SafetensorError) as error:
        raise ArtifactError(
            f"{file} cannot be read as weights. Accepted are .safetensors, and .pth files with "
            "nothing but tensors, as written by torch.save(model.state_dict(), path)."
        ) from error
    return {name: value for name, value in state.items() if hasattr(value, "shape")}


def weights_digest(model: torch.nn.Module) -> str:
    """Compute the SHA-256 digest of a model's parameter names, shapes and values.

    The digest does not depend on the format of the weight file.

    Parameters
    ----------
    model : torch.nn.Module
        Model on the CPU.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _read_pickle(file: Path) -> Mapping[str, torch.Tensor]:
    import torch

    loaded = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}")
    inner = (loaded[name] for name in CONTAINERS if isinstance(loaded.get(name), Mapping))
    return next(inner, loaded)


def _bare_name(name: str, wanted: Mapping[str, object]) -> str:
    while name not in wanted:
        prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
        if prefix is None:
            break
        name = name.removeprefix(prefix)
    return name


def _is_classifier(name: str, model: torch.nn.Module) -> bool:
    config: Mapping[str, Any] = model.pretrained_cfg
    names = config.get("classifier") or CLASSIFIERS
    names = (names,) if isinstance(names, str) else names
    return name.rpartition(".")[0] in names


def _differences(found: Mapping, wanted: Mapping) -> list[str]:
    reshaped = [
        f"{name} {tuple(found[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    groups = {
        "missing from the file": [name for name in wanted if name not in found],
        "unknown to the model": [name for name in found if name not in wanted],
        "of another shape": reshaped,
    }
    return [f"{len(names)} {what}: {shorten(names)}" for what, names in groups.items() if names]


_DEVICES = Path("/dev")

TIMEOUT = 5.0  # seconds to wait for the first response of a hub
WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")


def check_model_name(model: str) -> str:
    """Check that a timm model exists, and suggest similar names if not.

    Parameters
    ----------
    model : str
        Architecture, with or without a tag, for example ``"mobilenetv2_100"`` or
        ``"mobilenetv2_100.ra_in1k"``.

    Returns
    -------
    str
        The value of `model`.

    Raises
    ------
    OptionError
        If the architecture or the tag does not exist in timm.
    """
    timm = import_timm()
    architecture, _, tag = str(model).partition(".")
    if not timm.is_model(architecture):
        near = get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.4)
        hint = f" Nearest: {', '.join(near)}." if near else ""
        raise OptionError(
            f"the network must be the name of a timm model, got {model!r}.{hint} To use a weight "
            "file, pass the model name and `weights`. timm.list_models() lists all models."
        )
    known = timm.list_models(f"{architecture}.*", pretrained=True)
    if tag and f"{architecture}.{tag}" not in known:
        names = ", ".join(known) or "none at all"
        raise OptionError(f"timm has no weights tagged {tag!r} for {architecture}; it has {names}.")
    return model


def create_pretrained(model: str) -> torch.nn.Module:
    """Create a backbone without a classifier, with pretrained timm weights.

    Weights in the local cache can be used offline.

    Parameters
    ----------
    model : str
        Name of a timm model.

    Returns
    -------
    torch.nn.Module
        Pretrained backbone.

    Raises
    ------
    SourceError
        If the weights are not cached and cannot be downloaded. The message explains how to pass a
        file instead.
    """
    timm = import_timm()
    config = timm.models.get_pretrained_cfg(model)
    address = _address(config)
    cached = _cached_file(config)
    # The client of the hub retries for almost a minute, so first try once with a short timeout.
    if cached is None and not _answers(address):
        raise SourceError(_offline_help(model, f"{address or 'a hub'} does not answer"))
    local = {"pretrained_cfg_overlay": {"file": cached}} if cached else {}
    try:
        return timm.create_model(model, pretrained=True, num_classes=0, **local)
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(_offline_help(model, str(error).split("\n", 1)[0])) from error


def _address(config) -> str | None:
    if config.hf_hub_id:
        from huggingface_hub import hf_hub_url

        return hf_hub_url(config.hf_hub_id.partition("@")[0], WEIGHT_NAMES[0])
    return config.url or None


def _cached_file(config) -> str | None:
    """Return the path of weights downloaded earlier."""
    if config.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache

        found = (try_to_load_from_cache(config.hf_hub_id, name) for name in WEIGHT_NAMES)
        return next((file for file in found if isinstance(file, str)), None)
    if config.url:
        import torch

        file = Path(torch.hub.get_dir(), "checkpoints", os.path.basename(config.url))
        return str(file) if file.is_file() else None
    return None


def _answers(address: str | None) -> bool:
    if address is None:
        return False
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            return True
    except urllib.error.HTTPError:
        return True  # the hub is reachable, and its client will report the error
    except OSError:
        return False


def _offline_help(model: str, reason: str) -> str:
    return (
        f"Could not download the pretrained weights of {model!r}: {reason}. Offline, pass a file "
        "as `weights` (.safetensors or .pth, with or without classifier), for example "
        f"TimmEmbedder({model!r}, weights='model.safetensors'). On a machine with a network, "
        'python -c "import torch; from hybridlesion.cnn.backbone import create_pretrained; '
        f"torch.save(create_pretrained({model!r}).state_dict(), 'model.pth')\" writes one. "
        "Features without a CNN need no weights: embedder='none'."
    )


# Number of images per forward pass on a CPU, regardless of the batch size. Small blocks stay in the
# cache and are therefore faster; with a fixed shape, the same kernels are always chosen, so that a
# row does not depend on the number of other rows in the call.
CPU_BLOCK = 8
AGREEMENT = 1e-3  # maximum relative difference between the frozen graph and the model


class Network:
    """Backbone that is ready for inference.

    Parameters
    ----------
    model : torch.nn.Module
        Backbone from timm with ``num_classes=0``, or any module that maps each image to a row. It
        must be on the CPU with its weights loaded, and is modified in place.
    device : str
        ``"cpu"`` or ``"cuda:N"``.
    spec : InputSpec, default=None
        Input of the network. If None, it is read from the timm configuration of the model.
    n_features : int, default=None
        Length of a row. If None, the length of the backbone's embedding is used.

    Attributes
    ----------
    spec : InputSpec
        Input of the network.
    n_features : int
        Length of a row.
    digest : str
        SHA-256 digest of the weights.
    device : str
        Device of the network.

    Notes
    -----
    On a CPU, the traced graph is frozen, with batch norms folded into the convolutions, and runs
    channels-last in float32; the rows agree with the original model up to rounding. bfloat16 is not
    used, because on dermoscopic images the cosine similarity to the float32 rows is only 0.995, and
    the rows would depend on the type of CPU. On a GPU, the model runs channels-last under float16
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
        self._largest: int | None = None
        self._mean = 255 * torch.tensor(self.spec.mean, device=device).view(1, 3, 1, 1)
        self._std = 255 * torch.tensor(self.spec.std, device=device).view(1, 3, 1, 1)
        model = model.eval().requires_grad_(False)
        self._model = model.to(device=device, memory_format=torch.channels_last)
        # Freezing takes seconds and is therefore delayed until the first forward pass: a process
        # that delegates all images to workers never runs a forward pass.
        self._ready = device != "cpu"

    def block_size(self, batch_size: int) -> int:
        """Return the number of images per forward pass.

        Parameters
        ----------
        batch_size : int
            Batch size requested by the user.

        Returns
        -------
        int
            8 on a CPU; on a GPU, `batch_size`, or less if memory has run out before.
        """
        if self.device == "cpu":
            return CPU_BLOCK
        return min(batch_size, self._largest or batch_size)

    def rows(self, blocks: Iterable[np.ndarray], *, batch_size: int = 32) -> np.ndarray:
        """Embed blocks of prepared images.

        Parameters
        ----------
        blocks : iterable of ndarray of shape (n, height, width, 3), uint8
            Prepared images; n may differ between blocks.
        batch_size : int, default=32
            Number of images per forward pass on a GPU.

        Returns
        -------
        ndarray of shape (n_images, n_features), float32
            One row per image.

        Raises
        ------
        MemoryError
            If a single image does not fit into memory.
        """
        import torch

        # Rows stay on the device until the end, so that a GPU can work while the next block is
        # being prepared on the CPU.
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
                parts.append(self._forward(pad_block(part, size))[: len(part)])
                start += len(part)
                continue
            # torch before 2.5 has no torch.OutOfMemoryError, the same class.
            except torch.cuda.OutOfMemoryError as error:
                if size == 1:
                    raise MemoryError(
                        f"One image does not fit into the memory of {self.device}. Free some of "
                        "it, choose a smaller model, or pass device='cpu'."
                    ) from error
            # Outside the except block, since the exception keeps the memory of the failed pass.
            self._largest = size // 2
            torch.cuda.empty_cache()
        return parts

    def _forward(self, pixels: np.ndarray) -> torch.Tensor:
        import torch

        block = torch.from_numpy(pixels)
        if self.device == "cpu":
            if not self._ready:
                self._model, self._ready = self._frozen(self._model), True
            return self._model(self._normalised(block))
        block = block.pin_memory().to(self.device, non_blocking=True)
        with torch.autocast("cuda", dtype=torch.float16):
            return self._model(self._normalised(block))

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        # The memory layout is already channels-last, so the permutation does not copy.
        values = pixels.permute(0, 3, 1, 2).float()
        return values.sub_(self._mean).div_(self._std)

    def _frozen(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the traced, frozen and folded graph, or `model` if it cannot be traced."""
        import torch

        pixels = np.random.default_rng(0).integers(0, 256, (CPU_BLOCK, *self.spec.size, 3))
        example = self._normalised(torch.from_numpy(pixels.astype(np.uint8)))
        with warnings.catch_warnings(), torch.no_grad():
            # torch recommends torch.compile instead, which needs a C++ compiler on the user's
            # machine and almost a minute. Tracing sizes as constants is correct, since every
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
    """Load a backbone, reusing the networks that this process loaded most recently.

    Parameters
    ----------
    model : str
        Name of a timm model.
    weights : str, path-like or None, default=None
        Weight file. If None, the pretrained timm weights are used.
    device : str, default="cpu"
        ``"cpu"`` or ``"cuda:N"``.

    Returns
    -------
    Network
        Network that is ready for inference. The last two networks are kept in memory, so that
        clones of an embedder and the tasks of a worker process can share them.

    Raises
    ------
    ValueError
        If the model does not exist in timm.
    SourceError
        If the weights cannot be found.
    ArtifactError
        If the weights do not fit the model.
    """
    check_model_name(model)
    file = None if weights is None else Path(weights).expanduser().absolute()
    return _load(model, file, file_stamp(file) if file else (), device)


@lru_cache(maxsize=2)
def _load(model: str, file: Path | None, stamp: tuple, device: str) -> Network:
    return Network(create_backbone(model, file), device)


def create_backbone(model: str, weights: str | os.PathLike[str] | None) -> torch.nn.Module:
    """Create a backbone without a classifier.

    Parameters
    ----------
    model : str
        Name of a timm model.
    weights : str, path-like or None
        Weight file. If None, the pretrained timm weights are used.

    Returns
    -------
    torch.nn.Module
        Backbone on the CPU.

    Raises
    ------
    SourceError
        If the weights cannot be found.
    ArtifactError
        If the weights do not fit the model.
    """
    if weights is None:
        return create_pretrained(model)
    backbone = import_timm().create_model(model, pretrained=False, num_classes=0)
    load_weight_file(backbone, weights)
    return backbone


def file_stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Describe a file or folder such that a change of its contents can be detected.

    Parameters
    ----------
    path : Path
        File or folder, which need not exist.

    Returns
    -------
    tuple
        Name, modification time and size of the file, or of each file in the folder.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.*"))
    states = ((file.name, file.stat()) for file in files if file.is_file())
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)


class ImageTransformer(TransformerMixin, BaseEstimator):
    """Base class of estimators that run a network on images."""

    batch_size: int

    def _blocks(
        self,
        pairs: Iterable[tuple[np.ndarray, np.ndarray | None]],
        views: Sequence[ImageView],
        network: Any,
    ) -> Iterator[np.ndarray]:
        """Yield blocks of prepared images: all views of the first image, then of the second."""

        def prepare() -> Iterator[np.ndarray]:
            for image, mask in pairs:
                image = check_image(image)
                mask = None if mask is None else check_mask(mask, image.shape[:2])
                upright: dict[ImageView, np.ndarray] = {}
                for view in views:
                    # A view and its mirror image are cropped once.
                    plain = view._replace(mirrored=False)
                    if plain not in upright:
                        upright[plain] = plain.prepare(image, mask, network.spec)
                    yield upright[plain][:, ::-1] if view.mirrored else upright[plain]

        prepared = prepare()
        while block := list(islice(prepared, network.block_size(self.batch_size))):
            yield np.stack(block)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


def pad_block(block: np.ndarray, size: int) -> np.ndarray:
    """Pad a block to a given number of images by repeating the last image.

    Parameters
    ----------
    block : ndarray of shape (n, height, width, 3)
        At least one image.
    size : int
        Number of images.

    Returns
    -------
    ndarray of shape (size, height, width, 3)
        Padded block.
    """
    missing = size - len(block)
    return np.concatenate([block, block[-1:].repeat(missing, axis=0)]) if missing else block


def resolve_device(device: str = "auto") -> str:
    """Resolve a device name to a device that this process can use.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        Device name; ``auto`` uses the first GPU if there is one, else the CPU.

    Returns
    -------
    str
        ``"cpu"`` or ``"cuda:N"``.

    Raises
    ------
    OptionError
        If the name is unknown, or the specified GPU cannot be used; the message gives the reason.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    kind, _, index = str(device).partition(":")
    if kind not in ("auto", "cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
        raise OptionError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {device!r}.")
    if kind == "cpu" or (kind == "auto" and not _may_have_gpu()):
        return "cpu"
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "auto":
        return "cuda:0" if count else "cpu"
    if int(index or 0) < count:
        return f"cuda:{int(index or 0)}"
    raise OptionError(_why_not(device, count, torch.version.cuda))


def _may_have_gpu() -> bool:
    """Check whether a GPU may be present, without importing torch, which takes seconds."""
    if sys.platform == "darwin" or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    # Device files of the NVIDIA driver, of WSL, and of the AMD and Jetson drivers.
    names = ("nvidia*", "dxg", "kfd", "nvhost-gpu", "nvmap")
    return sys.platform != "linux" or any(any(_DEVICES.glob(name)) for name in names)


def _why_not(device: str, count: int, built_for: str | None) -> str:
    if built_for is None:
        reason = "this torch was built without CUDA; install a CUDA build of torch"
    elif count == 0:
        reason = "no GPU is visible; check `nvidia-smi`, the driver and CUDA_VISIBLE_DEVICES"
    else:
        reason = f"there are {count} GPUs here, numbered from 0"
    return f"device={device!r} cannot be used: {reason}, or pass 'cpu' or 'auto' as `device`."
