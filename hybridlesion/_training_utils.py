"""What every training loop needs: mixed precision where it pays, averages, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hybridlesion._atomic import atomic_path

if TYPE_CHECKING:
    import torch

__all__ = ["follow_average", "keep_memory", "load_states", "mixed_precision", "save_states"]

# Options of glibc's mallopt: when memory goes back to the system, and how much is asked for.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def mixed_precision(device: str) -> torch.autocast:
    """Compute in bfloat16 on a GPU, and on a CPU that has instructions for it.

    Other CPUs emulate bfloat16 and take ten to twenty times as long as with float32.

    Parameters
    ----------
    device : str
        ``"cpu"`` or ``"cuda:N"``.

    Returns
    -------
    torch.autocast
        A context; it changes nothing where bfloat16 does not pay.

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

    # torch has said so under this name since version 2.5; older ones stay with float32.
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())


def keep_memory() -> bool:
    """Let this process keep freed memory, instead of giving it back and asking again each step.

    A step frees all its activations at once. With glibc's defaults they go back to the system, and
    the next step has them zeroed anew: a sixth to a third of the time of a small network on a CPU.

    Returns
    -------
    bool
        False where the C library has no such setting; nothing is changed then.

    Examples
    --------
    >>> keep_memory() in (True, False)
    True
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    wanted = ((_MMAP_THRESHOLD, 2**31 - 1), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**28))
    return all(mallopt(option, value) for option, value in wanted)


def follow_average(average: torch.nn.Module, network: torch.nn.Module, share: float) -> None:
    """Move a running average of weights towards a network, in place.

    Parameters
    ----------
    average : torch.nn.Module
        The average.
    network : torch.nn.Module
        The network, of the same structure.
    share : float
        Share of the average that stays, 0 to 1.
    """
    import torch

    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    with torch.no_grad():
        for kept, new in pairs:
            if kept.dtype.is_floating_point:
                kept.mul_(share).add_(new, alpha=1 - share)
            else:
                kept.copy_(new)


def save_states(path: Path, parts: Mapping[str, object], facts: Mapping[str, object]) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write.
    parts : mapping of str to object
        Networks, optimizers, schedules: whatever has a ``state_dict``.
    facts : mapping of str to object
        Plain values besides.
    """
    import torch

    states = {name: part.state_dict() for name, part in parts.items()}
    with atomic_path(path) as temporary:
        torch.save({"parts": states, "facts": dict(facts)}, temporary)


def load_states(path: Path, parts: Mapping[str, object]) -> dict[str, object]:
    """Go back to a checkpoint.

    Parameters
    ----------
    path : Path
        File from `save_states`.
    parts : mapping of str to object
        What takes its state back.

    Returns
    -------
    dict of str to object
        The facts.
    """
    import torch

    saved = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved["parts"][name])
    return saved["facts"]
