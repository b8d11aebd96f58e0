"""Bent files by the thousand: each is an image or a reason, soon, and never a crash.

HYBRIDLESION_FUZZ_CASES=100000 asks for more of them than every run can afford.
"""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from hybridlesion import LesionFeaturizer
from hybridlesion.exceptions import ImageError
from hybridlesion.io import decode_image
from hybridlesion.io._decoding import shown_size

CASES = int(os.environ.get("HYBRIDLESION_FUZZ_CASES", 3000))
# Of these, so many that decode are segmented and measured too, which takes a hundred times longer.
MEASURED = CASES // 50


def _encode(pixels, name, **options) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, name, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def originals() -> list[bytes]:
    """Small JPEGs and PNGs of every build."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:72, :96]
    picture = np.empty((72, 96, 3), np.uint8)
    picture[:] = (205, 160, 140)
    picture[((rows - 36) / 18) ** 2 + ((columns - 48) / 24) ** 2 < 1] = (95, 60, 50)
    picture = (picture + rng.integers(0, 12, picture.shape)).astype(np.uint8)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    grey = picture.mean(axis=2).astype(np.uint8)
    return [
        _encode(picture, "JPEG"),
        _encode(picture, "JPEG", progressive=True, exif=exif.tobytes()),
        _encode(grey, "JPEG", quality=40, restart_marker_blocks=2),
        _encode(picture, "PNG", exif=exif.tobytes()),
        _encode(grey.astype(np.uint16) * 257, "PNG"),
        _encode(np.dstack([picture, grey]), "PNG"),
    ]


def _truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(0, len(data))]


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    bent = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, len(bent), rng.integers(1, 9))
    bent[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    return bent.tobytes()


def _zeroed(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, len(data)))
    length = int(rng.integers(1, 200))
    return data[:start] + bytes(len(data[start : start + length])) + data[start + length :]


def _garbled(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, len(data)))
    return data[:start] + rng.bytes(int(rng.integers(1, 60))) + data[start:]


def _spliced(data: bytes, rng: np.random.Generator) -> bytes:
    cut = int(rng.integers(0, len(data)))
    return data[:cut] + data[int(rng.integers(0, len(data))) :]


def _lying(data: bytes, rng: np.random.Generator) -> bytes:
    """Announce another size, with a checksum that is right."""
    size = [int(value) for value in rng.choice([0, 1, 7, 97, 300, 4096, 65500], 2)]
    if data.startswith(b"\x89PNG"):
        header = data[12:16] + struct.pack(">II", *size) + data[24:29]
        return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        place = data.find(marker)
        if place > 0:
            return data[: place + 5] + struct.pack(">HH", *size) + data[place + 9 :]
    raise AssertionError("a JPEG without a frame header")


BENDERS = [_truncated, _flipped, _zeroed, _garbled, _spliced, _lying]


def _bent(originals: list[bytes], number: int) -> bytes:
    """Make one case; its number is its seed, so that a failure can be repeated."""
    rng = np.random.default_rng(number)
    data = originals[rng.integers(len(originals))]
    bender = BENDERS[rng.integers(len(BENDERS))]
    return bender(data, rng)


def test_thousands_of_bent_files_are_images_or_reasons(originals):
    images = refused = 0
    # A refusal counts only with a reason, and every case is one or the other.
    for number in range(CASES):
        data = _bent(originals, number)
        try:
            image = decode_image(data, long_side=64)
            height, width = shown_size(io.BytesIO(data))
        except ImageError as error:
            refused += len(str(error)) > 20
        else:
            assert image.dtype == np.uint8, f"case {number}"
            assert image.shape[2:] == (3,), f"case {number}"
            assert min(image.shape) > 0 < min(height, width), f"case {number}"
            images += 1
    assert images > CASES // 50
    assert images + refused == CASES


def test_bent_files_are_measured_or_listed_and_change_no_other_row(originals, tmp_path):
    good = tmp_path / "good.png"
    good.write_bytes(originals[3])
    rows, number = [], 0
    while len(rows) < MEASURED:
        path = tmp_path / f"bent{number}.jpg"
        path.write_bytes(_bent(originals, number))
        # Files that cannot be decoded are the test above; every eighth goes along.
        if number % 8 == 0 or _decodes(path.read_bytes()):
            rows.append((path.stem, str(path)))
        if len(rows) % 20 == 0:
            rows.append((f"good{number}", str(good)))
        number += 1
    records = pd.DataFrame(rows, columns=["image_id", "path"])
    featurizer = LesionFeaturizer(long_side=64).fit(records)
    table, failures = featurizer.featurize(records)
    assert all(failure.reason and failure.stage in ("read", "segment") for failure in failures)
    features = [name for name in table if name.startswith(("abcd__", "qa__"))]
    alone = featurizer.featurize(records[records["path"] == str(good)].head(1))[0]
    same = table.loc[records["path"] == str(good), features]
    assert len(same) > 1
    for _, row in same.iterrows():
        np.testing.assert_array_equal(row.to_numpy(float), alone[features].iloc[0].to_numpy(float))
    failed = {failure.image_id for failure in failures}
    measured = table.loc[~table["image_id"].isin(failed), "qa__mask_share"]
    assert measured.between(0, 1).all()


def _decodes(data: bytes) -> bool:
    try:
        decode_image(data, long_side=64)
    except ImageError:
        return False
    return True


def _strange_files(originals) -> dict[str, bytes]:
    black = np.zeros((80, 100, 3), np.uint8)
    frames = [PIL.Image.fromarray(black + 60 * k) for k in range(1, 4)]
    animated = {}
    for name in ("GIF", "PNG", "WEBP"):
        file = io.BytesIO()
        frames[0].save(file, name, save_all=True, append_images=frames[1:])
        animated[f"animated {name}"] = file.getvalue()
    cmyk = io.BytesIO()
    PIL.Image.fromarray(black + 90).convert("CMYK").save(cmyk, "JPEG")
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(256)) * 3
    return animated | {
        "sixteen bit": _encode(np.full((90, 70), 40_000, np.uint16), "PNG"),
        "CMYK": cmyk.getvalue(),
        "all white": _encode(black + 255, "JPEG"),
        "EXIF garbage": originals[0][:2]
        + b"\xff\xe1"
        + struct.pack(">H", len(exif) + 2)
        + exif
        + originals[0][2:],
        "PNG called jpg": originals[3],
    }


def _unmeasurable() -> dict[str, bytes]:
    """Images that can be decoded, but not measured."""
    return {
        "one pixel": _encode(np.full((1, 1, 3), 99, np.uint8), "PNG"),
        "one row": _encode(np.full((1, 100_000, 3), 99, np.uint8), "PNG"),
        "one column": _encode(np.full((60_000, 1, 3), 128, np.uint8), "JPEG"),
        "all black": _encode(np.zeros((80, 100, 3), np.uint8), "JPEG"),
        "twelve bit": _encode(np.full((90, 70), 4095, np.uint16), "PNG"),
    }


def _poison(originals) -> dict[str, bytes]:
    png = originals[3]
    header = png[12:16] + struct.pack(">II", 60_000, 60_000) + png[24:29]
    return {
        "bomb": png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:],
        "nothing": b"",
        "zeros": bytes(5000),
        "HTML": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "half a JPEG": originals[0][: len(originals[0]) // 2],
    }


def test_strange_files_are_measured_and_poison_is_listed(originals, tmp_path):
    strange, poison = _strange_files(originals), _poison(originals) | _unmeasurable()
    rows = []
    for name, data in (strange | poison).items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(data)
        rows.append((name, str(path)))
    records = pd.DataFrame(rows, columns=["image_id", "path"])
    table, failures = LesionFeaturizer(long_side=64).fit(records).featurize(records)
    assert {failure.image_id: failure.stage for failure in failures} == dict.fromkeys(
        poison, "read"
    )
    reasons = {failure.image_id: failure.reason for failure in failures}
    assert "3,600.0 megapixels" in reasons["bomb"]
    assert "HTML page" in reasons["HTML"]
    assert "1 x 1 pixels are too few" in reasons["one pixel"]
    assert "black" in reasons["all black"]
    assert "values of 12 bits" in reasons["twelve bit"]
    measured = table[table["image_id"].isin(list(strange))]
    assert measured["qa__mask_share"].between(0, 1).all()
