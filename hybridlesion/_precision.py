"""Mixed precision where it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["mixed_precision"]


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
