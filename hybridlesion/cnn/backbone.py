"""Frozen timm backbones for inference on one device, and their weight files."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn.views import InputSpec
from hybridlesion.exceptions import ArtifactError, OptionError, SourceError

if TYPE_CHECKING:
    import torch

# Prefixes that training loops add to the names of a backbone's parameters.
PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "encoder.")
# Where training loops keep the weights inside a checkpoint; averaged weights go first.
CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
# Names of the last layer, for models that do not state it.
CLASSIFIERS = ("classifier", "fc", "head", "head.fc")
SHOWN = 5
# Raised by torch's reader, depending on where the file is damaged.
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
        Backbone made by ``timm.create_model(..., num_classes=0)``; changed in place.
    path : str or path-like
        ``.safetensors``, or a ``.pth``, ``.pt``, ``.bin``, ``.ckpt`` that holds tensors only. The
        prefixes ``module.``, ``model.``, ``backbone.``, ``encoder.`` and ``_orig_mod.`` are taken
        off, and a classifier in the file is left out.

    Raises
    ------
    SourceError
        If there is no such file.
    ArtifactError
        If it cannot be read as weights, or if names or shapes differ from the model's; all
        differences are counted and the first few are named.
    """
    wanted = model.state_dict()
    found = {_bare_name(k, wanted): v for k, v in read_state_dict(path).items()}
    found = {k: v for k, v in found.items() if k in wanted or not _is_classifier(k, model)}
    # Counters of training steps, which older checkpoints lack and inference never reads.
    for name in wanted:
        if name.endswith("num_batches_tracked"):
            found.setdefault(name, wanted[name])
    problems = _differences(found, wanted)
    if problems:
        raise ArtifactError(
            f"The weights in {os.fspath(path)} are not those of this model:\n"
            + "\n".join(f"  - {problem}" for problem in problems)
            + "\nName the model that the file was made with, by its exact timm name."
        )
    model.load_state_dict(found)


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read the tensors of a weight file onto the CPU, without running code from it.

    Parameters
    ----------
    path : str or path-like
        ``.safetensors``, or any file that ``torch.load(weights_only=True)`` accepts.

    Returns
    -------
    dict of str to torch.Tensor
        Names as in the file.

    Raises
    ------
    SourceError
        If there is no such file.
    ArtifactError
        If it holds anything but tensors, or nothing readable.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "not there"
        raise SourceError(f"the weight file {file} is {kind}; name a .safetensors or .pth file.")
    try:
        state = _read_safetensors(file) if file.suffix == ".safetensors" else _read_pickle(file)
    except UNREADABLE as error:
        raise ArtifactError(
            f"{file} cannot be read as weights. Accepted are .safetensors, and .pth files that "
            "hold a state dict and nothing but tensors, as written by "
            "torch.save(model.state_dict(), path)."
        ) from error
    return {name: value for name, value in state.items() if hasattr(value, "shape")}


def weights_digest(model: torch.nn.Module) -> str:
    """SHA-256 of a model's names, shapes and values, whatever file they came from.

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


def _read_safetensors(file: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(error) from error


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
    return [
        f"{len(names)} {what}: {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
        for what, names in groups.items()
        if names
    ]


_DEVICES = Path("/dev")

TIMEOUT = 5.0  # seconds to wait for a hub's first answer
WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")


def check_model_name(model: str) -> str:
    """Check that timm has a model, and suggest similar names if not.

    Parameters
    ----------
    model : str
        Architecture, with or without a tag, for example ``"mobilenetv2_100"`` or
        ``"mobilenetv2_100.ra_in1k"``.

    Returns
    -------
    str
        `model`.

    Raises
    ------
    OptionError
        If timm has no such architecture or no such tag of it.
    """
    timm = import_timm()
    architecture, _, tag = str(model).partition(".")
    if not timm.is_model(architecture):
        near = get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.4)
        hint = f" Nearest: {', '.join(near)}." if near else ""
        raise OptionError(
            f"the network must be the name of a timm model, got {model!r}.{hint} "
            "timm.list_models() lists all. To use a weight file, pass the model name and "
            "`weights`."
        )
    known = timm.list_models(f"{architecture}.*", pretrained=True)
    if tag and f"{architecture}.{tag}" not in known:
        raise OptionError(
            f"timm has no weights tagged {tag!r} for {architecture}; it has "
            f"{', '.join(known) or 'none at all'}."
        )
    return model


def create_pretrained(model: str) -> torch.nn.Module:
    """Create a backbone without classifier, with timm's pretrained weights.

    Weights in the local cache are used offline.

    Parameters
    ----------
    model : str
        A timm model name.

    Returns
    -------
    torch.nn.Module
        The backbone.

    Raises
    ------
    SourceError
        If the weights are not cached and cannot be downloaded; the message says how to pass a file
        instead.
    """
    timm = import_timm()
    config = timm.models.get_pretrained_cfg(model)
    address = _address(config)
    cached = _cached_file(config)
    # The hub's own client retries for most of a minute; ask once, with a short timeout.
    if cached is None and not _answers(address):
        raise SourceError(_offline_help(model, f"{address or 'a hub'} does not answer"))
    overlay = {"file": cached} if cached else None
    try:
        return timm.create_model(
            model, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
        )
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
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, method="HEAD"), timeout=TIMEOUT
        ):
            return True
    except urllib.error.HTTPError:
        return True  # the hub is reachable; its own client reports the error
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


# On a CPU every pass has this many images, whatever the batch size: blocks that stay in cache are
# faster than large ones, and one shape means one choice of kernels, so that a row does not depend
# on the number of other rows in the call.
CPU_BLOCK = 8
AGREEMENT = 1e-3  # largest relative difference accepted between the frozen graph and the model


class Network:
    """A backbone ready for inference.

    Parameters
    ----------
    model : torch.nn.Module
        timm backbone with ``num_classes=0``, or any module from images to rows, on the CPU, with
        its weights; it is modified in place.
    device : str
        ``"cpu"`` or ``"cuda:N"``.
    spec : InputSpec, default=None
        Input of the network; None reads it from timm's configuration of the model.
    n_features : int, default=None
        Length of a row; None takes that of the backbone's embedding.

    Attributes
    ----------
    spec : InputSpec
        Input of the network.
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
        # Freezing takes seconds: it waits for the first pass, since a process that delegates all
        # images to workers never runs one.
        self._ready = device != "cpu"

    def block_size(self, batch_size: int) -> int:
        """Images of one pass.

        Parameters
        ----------
        batch_size : int
            Size requested by the user.

        Returns
        -------
        int
            8 on a CPU; on a GPU `batch_size`, or less after memory ran out.
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
                parts.append(self._forward(pad_block(part, size))[: len(part)])
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
    # A file that was rewritten counts as another file.
    stamp = (status.st_mtime_ns, status.st_size) if status else None
    return _load(model, file, stamp, device)


@lru_cache(maxsize=2)
def _load(model: str, file: Path | None, stamp: tuple[int, int] | None, device: str) -> Network:
    if file is None:
        return Network(create_pretrained(model), device)
    backbone = import_timm().create_model(model, pretrained=False, num_classes=0)
    load_weight_file(backbone, file)
    return Network(backbone, device)


def pad_block(block: np.ndarray, size: int) -> np.ndarray:
    """Repeat the last image until a block has a given number of them.

    Parameters
    ----------
    block : ndarray of shape (n, height, width, 3)
        At least one image.
    size : int
        Number of images.

    Returns
    -------
    ndarray of shape (size, height, width, 3)
        The images and the repetitions.
    """
    missing = size - len(block)
    return np.concatenate([block, block[-1:].repeat(missing, axis=0)]) if missing else block


def resolve_device(device: str = "auto") -> str:
    """Resolve a device name to a device that this process can use.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        ``auto`` uses the first GPU if there is one, else the CPU.

    Returns
    -------
    str
        ``"cpu"`` or ``"cuda:N"``.

    Raises
    ------
    OptionError
        If the name is unknown or the GPU that it names cannot be used; the message says why.

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
    """Whether a GPU may be present, decided without torch, which takes seconds to import."""
    if sys.platform == "darwin" or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    # Device files of NVIDIA's driver, of Windows beneath Linux, of AMD's and of Jetson's driver.
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
