"""Outputs appear whole, in folders that can be made."""

from __future__ import annotations

import pytest

from hybridlesion._atomic import atomic_path, check_apart, check_writable
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


def test_an_output_that_is_an_input_is_refused(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("image_id\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    (tmp_path / "other.csv").hardlink_to(table)
    check_apart([table], [None, tmp_path / "u.csv", tmp_path / "gone" / "t.csv", "s3://b/t.csv"])
    for same in (table, tmp_path / "link" / ".." / "t.csv", tmp_path / "other.csv"):
        with pytest.raises(SourceError, match=r"t\.csv is both an input and an output"):
            check_apart([tmp_path / "new.csv", table], [same])
