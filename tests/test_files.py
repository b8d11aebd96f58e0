"""Outputs appear whole, in folders that can be made."""

from __future__ import annotations

import pytest

from hybridlesion._files import atomic_path, check_writable
from hybridlesion.exceptions import SourceError


@pytest.mark.parametrize("name", ["file/out.csv", "file/deeper/out.csv"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SourceError, match=r"file is a file; name a folder\."):
        check_writable(tmp_path / name)
    with (
        pytest.raises(SourceError, match=r"is a file; name a folder\."),
        atomic_path(tmp_path / name),
    ):
        pass
