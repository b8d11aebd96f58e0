"""The number that says which readers understand a file.

Raise `PROTOCOL` by one when a file written from now on would be misread, or not read, by the
release before: a key of the outer mapping that changes its meaning or goes away, another way to
store the payload, a fitted attribute of a listed class that is renamed. Do not raise it for a new
key in the manifest, which older readers pass over, nor for a new listed class, which they refuse
by name. A reader accepts every protocol up to its own; whoever raises the number adds the branch
that still reads the former one, and a test with a file of the former one.

1: boosters and pipelines as their libraries pickle them.
2: boosters as text, pipelines as a list of steps; check rows in the manifest; large weight files
   beside the artifact; a signature behind it.
"""

from __future__ import annotations

__all__ = ["FORMAT", "PROTOCOL"]

FORMAT = "hybridlesion-artifact"
PROTOCOL = 2
