"""A featurizer that costs nothing and obeys its files, for tests of the work around it."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import numpy as np

from hybridlesion.batch._masks import _segment_block
from hybridlesion.featurizer import Failure, LesionFeaturizer


class QuickFeaturizer(LesionFeaturizer):
    """Measures the length of a file. A file that holds a command has it carried out."""

    def featurize(self, records, *, masks=None, tick=None):
        lengths, failures = [], []
        for image_id, path in zip(records["image_id"], records["path"], strict=True):
            if tick is not None:
                tick()
            if not isinstance(path, str) or not os.path.exists(path):
                failures.append(Failure(image_id, "", "read", "there is no such file"))
                lengths.append(np.nan)
                continue
            text = Path(path).read_text()
            _obey(*text.split())
            lengths.append(len(text))
        columns = records.reindex(columns=self.carried_)
        return columns.assign(abcd__length=np.array(lengths, np.float32)), failures


def _obey(command: str, *arguments: str) -> None:
    if command == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif command == "die-once":
        if not os.path.exists(arguments[0]):
            Path(arguments[0]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif command == "sleep":
        time.sleep(float(arguments[0]))
    elif command == "hang":
        # Exponential, and the interpreter gets no turn in between.
        re.match(r"(a+)+$", "a" * 40 + "b")
    elif command == "raise":
        raise RuntimeError("a fault of the program")


def segment_block_but_for_the_deadly(block, limit, **options):
    """Segment images, but for one that kills the process."""
    if any(image_id == "deadly" for _, image_id, _ in block):
        os.kill(os.getpid(), signal.SIGKILL)
    return _segment_block(block, limit, **options)
