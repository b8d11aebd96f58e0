"""Where the network runs."""

from __future__ import annotations

from hybridlesion.exceptions import OptionError

__all__ = ["resolve_device"]


def resolve_device(device: str = "auto") -> str:
    """Turn a device request into a device that this process can use.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        ``auto`` takes the first GPU if there is one, else the CPU.

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
    if kind == "cpu":
        return "cpu"
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "auto":
        return "cuda:0" if count else "cpu"
    if int(index or 0) < count:
        return f"cuda:{int(index or 0)}"
    raise OptionError(_why_not(device, count, torch.version.cuda))


def _why_not(device: str, count: int, built_for: str | None) -> str:
    if built_for is None:
        reason = "this torch was built without CUDA; install a CUDA build of torch"
    elif count == 0:
        reason = "no GPU is visible; check `nvidia-smi`, the driver and CUDA_VISIBLE_DEVICES"
    else:
        reason = f"there are {count} GPUs here, numbered from 0"
    return (
        f"device={device!r} cannot be used: {reason}, or choose the device 'cpu' or 'auto' "
        "(--device on the command line)."
    )
