"""Utilities for training loops: mixed precision, averaged weights, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridlesion._atomic import atomic_path

if TYPE_CHECKING:
    import torch

# Options of glibc's mallopt.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def mixed_precision(device: str) -> torch.autocast:
    """Enable bfloat16 on GPUs, and on CPUs that have instructions for it.

    Other CPUs emulate bfloat16, which takes ten to twenty times as long as float32.

    Parameters
    ----------
    device : str
        ``"cpu"`` or ``"cuda:N"``.

    Returns
    -------
    torch.autocast
        Context manager, which has no effect if bfloat16 is slow.

    Examples
    --------
    >>> with mixed_precision("cpu") as context:
    ...     pass
    """
    import torch

    kind = device.partition(":")[0]
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=kind != "cpu" or _cpu_has_bfloat16())


def _cpu_has_bfloat16() -> bool:
    import torch

    # Available since torch 2.5; with older versions, float32 is used.
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())


def set_malloc_retention() -> bool:
    """Make malloc retain freed memory instead of returning it to the system after each step.

    A training step frees all its activations at once. By default, glibc returns this memory to the
    system, which zeroes it for the next step. For a small network on a CPU, this takes a sixth to a
    third of the time.

    Returns
    -------
    bool
        True if the C library accepted the settings.

    Examples
    --------
    >>> set_malloc_retention() in (True, False)
    True
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    wanted = ((_MMAP_THRESHOLD, 2**31 - 1), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**28))
    return all(mallopt(option, value) for option, value in wanted)


def update_ema(average: torch.nn.Module, network: torch.nn.Module, share: float) -> None:
    """Update an exponential moving average of weights in place.

    Parameters
    ----------
    average : torch.nn.Module
        Moving average, modified in place.
    network : torch.nn.Module
        Network of the same structure.
    share : float
        Decay of the average, 0 to 1.
    """
    import torch

    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    with torch.no_grad():
        for kept, new in pairs:
            if kept.dtype.is_floating_point:
                kept.mul_(share).add_(new, alpha=1 - share)
            else:
                kept.copy_(new)


def save_checkpoint(path: Path, parts: Mapping[str, Any], facts: Mapping[str, object]) -> None:
    """Write a checkpoint atomically.

    Parameters
    ----------
    path : Path
        File to write.
    parts : mapping of str to object
        Objects with a ``state_dict``: networks, optimizers, schedules.
    facts : mapping of str to object
        Additional plain values.
    """
    import torch

    states = {name: part.state_dict() for name, part in parts.items()}
    for state in states.values():
        # A method of OneCycleLR in older releases of torch, such as 2.3, which cannot be loaded.
        state.pop("anneal_func", None)
    with atomic_path(path) as temporary:
        torch.save({"parts": states, "facts": dict(facts)}, temporary)


def load_checkpoint(path: Path, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Restore a checkpoint.

    Parameters
    ----------
    path : Path
        File written by `save_checkpoint`.
    parts : mapping of str to object
        Objects whose state is restored.

    Returns
    -------
    dict of str to object
        The `facts` passed to `save_checkpoint`.
    """
    import torch

    saved = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved["parts"][name])
    return saved["facts"]
