"""Signed model files and key files."""

from __future__ import annotations

import joblib
import pytest

from hybridlesion.exceptions import ArtifactError
from hybridlesion.persistence import _artifact as container
from hybridlesion.persistence import load_artifact, read_key, read_manifest, save_artifact

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def signed(tmp_path, fitted):
    save_artifact(tmp_path / "signed.joblib", fitted, key=KEY)
    return tmp_path / "signed.joblib"


def test_signed_files_load_with_and_without_the_key(signed):
    assert load_artifact(signed, key=KEY).named_steps.keys() == {"features", "model"}
    assert load_artifact(signed).named_steps.keys() == {"features", "model"}
    assert read_manifest(signed, key=KEY)["signature"] == "valid"
    assert read_manifest(signed)["signature"] == "unchecked"
    assert joblib.load(signed).named_steps.keys() == {"features", "model"}


def test_files_without_a_signature(saved):
    assert read_manifest(saved)["signature"] == "none"
    with pytest.raises(ArtifactError, match="is not signed, but a key was given"):
        load_artifact(saved, key=KEY)


@pytest.mark.parametrize("position", [0, 50, 500, -70, -1])
def test_other_keys_and_changed_bytes(signed, position):
    with pytest.raises(ArtifactError, match="does not match this key"):
        load_artifact(signed, key=OTHER)
    data = bytearray(signed.read_bytes())
    data[position] ^= 1
    signed.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"does not match this key|is not signed"):
        load_artifact(signed, key=KEY)


def test_a_signature_of_another_file_does_not_fit(signed, saved):
    saved.write_bytes(saved.read_bytes() + signed.read_bytes()[-90:])
    with pytest.raises(ArtifactError, match="does not match this key"):
        load_artifact(saved, key=KEY)


def test_nothing_is_unpickled_before_the_signature_is_checked(signed, monkeypatch):
    def unpickle(*_):
        raise AssertionError("unpickled")

    monkeypatch.setattr(container, "read_pickle", unpickle)
    with pytest.raises(ArtifactError, match="does not match this key"):
        read_manifest(signed, key=OTHER)
    with pytest.raises(AssertionError, match="unpickled"):
        read_manifest(signed, key=KEY)


def test_key_files(tmp_path):
    (tmp_path / "key").write_bytes(KEY + b"\r\n")
    assert read_key(tmp_path / "key") == KEY
    (tmp_path / "short").write_bytes(b"secret\n")
    with pytest.raises(ArtifactError, match="has 6 bytes; a key has 16 to 65536"):
        read_key(tmp_path / "short")
    with pytest.raises(ArtifactError, match="cannot read the key file"):
        read_key(tmp_path / "none")
