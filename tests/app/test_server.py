"""The REST interface, and everything that it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
import threading

import numpy as np
import pandas as pd
import pytest

from hybridlesion.batch import check_data
from hybridlesion.exceptions import SourceError
from hybridlesion.inference import score_table
from hybridlesion.metadata import write_mapping

from .conftest import ORIGIN, draw_lesion, encode, spread_lesions

pytest.importorskip("fastapi")

from starlette.testclient import TestClient

from hybridlesion.app import _data_set as _data_set_module
from hybridlesion.app import _server, create_app, serve

SQUARE = [[100, 60], [220, 60], [220, 180], [100, 180]]
HOSTILE = "<img src=x onerror=alert(1)>"


def _open(client, content, name="IMG_7.png") -> dict:
    answer = client.post("/photographs", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_score_answers_once_and_keeps_nothing(client, lesion):
    known = {"age": "70", "sex": "female", "site": "head/neck"}
    answer = client.post("/score", files={"file": ("IMG_7.png", lesion)}, data=known).json()
    assert {"score", "threshold", "diagnoses", "applicability", "reasons"} <= set(answer)
    assert {"abcd", "seven_point", "warnings"} <= set(answer)
    (outline,) = answer["outline"]
    assert np.abs(np.mean(outline, axis=0) - (160, 120)).max() < 20
    assert (answer["image_id"], answer["model"]) == ("IMG_7", "nevi.joblib")
    young = client.post("/score", files={"file": lesion}, data={"age": "30"}).json()
    assert young["score"] < answer["score"]
    assert list(client.app.state.folder.iterdir()) == []


def test_a_photograph_is_changed_and_exported(client, lesion):
    opened = _open(client, lesion, "=1+1.png")
    at = f"/photographs/{opened['id']}"
    older = client.put(f"{at}/person", json={"age": 80, "sex": None}).json()
    assert older["answer"]["score"] > opened["answer"]["score"]
    assert older["person"] == {"age": 80.0, "sex": None, "site": None, "patient_id": None}
    corrected = client.put(f"{at}/outline", json={"points": SQUARE}).json()
    assert corrected["corrected"]
    assert corrected["person"]["age"] == 80
    assert client.get(at).json() == corrected
    ids = {"ids": [opened["id"]]}
    table = client.post("/export.csv", json=ids).text
    (row,) = csv.DictReader(io.StringIO(table))
    assert row["image_id"] == "'=1+1.png"  # a spreadsheet shows it and computes nothing
    assert float(row["score"]) == pytest.approx(corrected["answer"]["score"])
    assert row["outline"] == "corrected"
    assert client.post("/export.json", json=ids).json()["photographs"] == [corrected]
    assert not client.delete(f"{at}/outline").json()["corrected"]


def test_lesions_of_a_patient_are_compared_and_scored_together(comparing_reader):
    with TestClient(create_app(comparing_reader), base_url=ORIGIN) as client:
        assert client.get("/model").json()["uses_context"]
        opened = [_open(client, encode(image), f"{k}.png") for k, image in enumerate(_others(4))]
        first = opened[0]["answer"]
        assert any("scored alone" in words for words in first["warnings"])
        ids = [one["id"] for one in opened]
        known = {"ids": ids[:3], "patient_id": "P 1", "age": 61}
        joined = client.put("/patient", json=known).json()["photographs"]
        assert [one["id"] for one in joined] == ids[:3]
        assert {one["person"]["age"] for one in joined} == {61}
        assert not any("scored alone" in words for words in joined[0]["answer"]["warnings"])
        found = client.get(f"/photographs/{ids[0]}/patient").json()["lesions"]
        assert {one["id"] for one in found} == set(ids[:3])
        distances = [one["distance"] for one in found]
        assert distances == sorted(distances, reverse=True)
        assert distances[-1] > 0
        assert client.get(f"/photographs/{ids[3]}/patient").json() == {"lesions": []}
        client.delete(f"/photographs/{ids[1]}")
        client.put(f"/photographs/{ids[2]}/person", json={"patient_id": "P 2"})
        alone = client.get(f"/photographs/{ids[0]}").json()["answer"]
        assert alone["score"] == first["score"]
        assert any("scored alone" in words for words in alone["warnings"])


def _others(n):
    return [draw_lesion(radius=30 + 15 * k) for k in range(n)]


def test_the_score_of_a_group_is_that_of_a_table(comparing_reader, tmp_path):
    paths = [tmp_path / f"{k}" for k in range(3)]
    for path, image in zip(paths, _others(3), strict=True):
        path.write_bytes(encode(image))
    read = [comparing_reader.read(path, f"{path.name}.png") for path in paths]
    table = pd.concat([one.measured.table for one in read], ignore_index=True)
    table = table.assign(image_id=["0", "1", "2"], patient_id="P")
    expected = score_table(comparing_reader.model, table)["score"]
    answers = [
        comparing_reader.answer(one, others=[*read[:k], *read[k + 1 :]])
        for k, one in enumerate(read)
    ]
    assert [one["score"] for one in answers] == pytest.approx(expected.tolist())


def test_similar_cases_have_thumbnails_and_no_path(reader, lesion, gallery):
    with TestClient(create_app(reader, gallery=gallery), base_url=ORIGIN) as client:
        assert client.get("/model").json()["has_gallery"]
        at = f"/photographs/{_open(client, lesion)['id']}"
        answer = client.get(f"{at}/similar")
        found = answer.json()
        assert (found["n_read"], found["n_images"], len(found["cases"])) == (8, 8, 5)
        picture = client.get(f"/gallery/{found['cases'][0]['number']}.jpg")
        assert picture.content.startswith(b"\xff\xd8")
        assert str(gallery.frame["path"][0].rpartition("/")[0]) not in answer.text
        assert client.get("/gallery/99.jpg").status_code == 404
        assert client.get("/gallery/..%2fcases.jpg").status_code in (404, 422)


def test_the_files_of_a_photograph(client, lesion):
    opened = _open(client, lesion)
    at = f"/photographs/{opened['id']}"
    heads = {
        "photograph.jpg": b"\xff\xd8",
        "thumbnail.jpg": b"\xff\xd8",
        "layers/colours": b"\x89PNG",
        "layers/structures": b"\x89PNG",
        "sheet.png": b"\x89PNG",
        "sheet.pdf": b"%PDF",
    }
    for name, head in heads.items():
        answer = client.get(f"{at}/{name}")
        assert (answer.status_code, answer.content[: len(head)]) == (200, head), name
    assert client.get(f"{at}/layers/network").status_code == 404
    assert client.get(f"{at}/sheet.exe").status_code == 422


def test_a_removed_photograph_leaves_no_file(client, lesion):
    opened = _open(client, lesion)
    at = f"/photographs/{opened['id']}"
    client.get(f"{at}/photograph.jpg")
    assert len(list(client.app.state.folder.iterdir())) == 2
    assert client.delete(at).status_code == 204
    assert list(client.app.state.folder.iterdir()) == []
    assert client.get(at).status_code == 404


def test_the_folder_is_private_and_goes_when_the_app_ends(reader, lesion):
    with TestClient(create_app(reader), base_url=ORIGIN) as client:
        _open(client, lesion)
        folder = client.app.state.folder
        assert folder.stat().st_mode & 0o77 == 0
        assert len(list(folder.iterdir())) == 1
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "C:\\boot.ini", "zip://a::/etc/passwd", "a\0b", HOSTILE],
)
def test_a_name_is_text_and_never_a_path(client, lesion, name):
    opened = _open(client, lesion, name)
    assert "/" not in opened["name"]
    (stored,) = client.app.state.folder.iterdir()
    assert stored.name == opened["id"]
    assert re.fullmatch(r"[\w-]{22}", stored.name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"root:x:0:0", "not an image"),
        (b"\x89PNG\r\n\x1a\nrest", "damaged"),
    ],
)
def test_what_is_no_image_is_refused_and_deleted(client, content, words):
    for path in ("/score", "/photographs"):
        answer = client.post(path, files={"file": ("a.png", content)})
        assert answer.status_code == 422
        assert words in answer.json()["detail"]
        assert "/tmp" not in answer.text
    assert list(client.app.state.folder.iterdir()) == []


@pytest.mark.parametrize("known", [{"age": "-1"}, {"age": "nan"}, {"sex": "x"}, {"site": "moon"}])
def test_metadata_out_of_range_are_refused(client, lesion, known):
    answer = client.post("/score", files={"file": lesion}, data=known)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == next(iter(known))


@pytest.mark.parametrize("points", [[], [[1, 2]], [[1, 2, 3]] * 4, [[1, 2]] * 6000])
def test_outlines_that_are_none_are_refused(client, lesion, points):
    at = f"/photographs/{_open(client, lesion)['id']}"
    assert client.put(f"{at}/outline", json={"points": points}).status_code == 422
    assert not client.get(at).json()["corrected"]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8000"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_origins_are_refused(client, lesion, headers):
    answer = client.post("/score", files={"file": lesion}, headers=headers)
    assert answer.status_code == 403
    assert client.get("/model", headers=headers).status_code == 403


def test_a_link_from_elsewhere_opens_the_page_only(client):
    headers = {"sec-fetch-site": "cross-site"}
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/check", headers=headers).status_code == 200
    assert client.get("/page/main.js", headers=headers).status_code == 403
    assert client.get("/model", headers={"host": "localhost:8000"}).status_code == 200


def test_large_bodies_are_refused_announced_or_not(reader):
    large = b"x" * 60_000
    with TestClient(create_app(reader, max_bytes=50_000), base_url=ORIGIN) as client:
        answer = client.post("/score", files={"file": large})
        assert (answer.status_code, answer.json()["detail"]) == (
            413,
            "the file is larger than the limit of 0 MB.",
        )

        def chunks():
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for start in range(0, len(large), 10_000):
                yield large[start : start + 10_000]
            yield b"\r\n--b--\r\n"

        kind = {"content-type": "multipart/form-data; boundary=b"}
        assert client.post("/score", content=chunks(), headers=kind).status_code == 413


def test_a_full_queue_asks_to_come_back(reader, lesion, monkeypatch):
    started, go = threading.Event(), threading.Event()
    read = reader.read

    def slow(*arguments):
        started.set()
        assert go.wait(60)
        return read(*arguments)

    monkeypatch.setattr(reader, "read", slow)
    monkeypatch.setattr(reader, "warm_up", lambda: None)
    with TestClient(create_app(reader, longest_queue=1), base_url=ORIGIN) as client:
        found = []

        def post():
            while (answer := client.post("/score", files={"file": lesion})).status_code == 503:
                assert not started.is_set()  # the reader is being loaded
            found.append(answer)

        first = threading.Thread(target=post)
        first.start()
        assert started.wait(60)
        refused = client.post("/score", files={"file": lesion})
        go.set()
        first.join()
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert found[0].status_code == 200


def test_the_page_is_served_while_the_reader_is_made(reader, lesion):
    go = threading.Event()

    def make():
        assert go.wait(60)
        return reader

    with TestClient(create_app(make, longest_queue=1), base_url=ORIGIN) as client:
        assert "<title>hybridlesion</title>" in client.get("/").text
        assert client.post("/score", files={"file": lesion}).status_code == 503
        go.set()
        assert client.get("/model").json()["name"] == "nevi.joblib"


@pytest.mark.parametrize("path", ["/", "/check"])
def test_a_page_loads_nothing_from_elsewhere(client, path):
    page = client.get(path)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    addresses = re.findall(r'(?:src|href)="([^"#]*)"', page.text)
    assert addresses
    for address in {*addresses} - {"/", "/check"}:
        assert address.startswith("/page/"), address
        text = client.get(address).text
        assert re.findall(r"https?://(?!www\.w3\.org/)", text) == []
        for imported in re.findall(r'from "\./([\w.]+)"', text):
            assert client.get(f"/page/{imported}").status_code == 200
    assert page.text.count("not a medical device") == 1
    assert client.get("/page/..%2f_server.py").status_code == 404
    assert client.get("/docs").status_code == 404


def test_the_interface_is_described_locally(client):
    described = client.get("/openapi.json").json()
    assert {"/score", "/photographs", "/export.csv", "/data-sets"} <= set(described["paths"])
    assert re.findall(r"https?://", json.dumps(described)) == []


TABLE = b"""image,Alter,Diagnose,malignant
a,50,nevus,0
b,61,melanoma,1
c-1,70,melanoma,1
"""


def _data_set(client, *files):
    at = f"/data-sets/{client.post('/data-sets').json()['id']}"
    answer = client.post(f"{at}/files", files=[("files", file) for file in files])
    assert answer.status_code == 200, answer.text
    return at, answer.json()


def _photographs(names="ab"):
    drawn = zip(names, spread_lesions(len(names)), strict=True)
    return [(f"clinic/{name}.png", encode(image)) for name, image in drawn]


def test_a_data_set_is_checked_as_in_python(client, tmp_path):
    files = [
        *_photographs("abc"),
        ("clinic/d.png", b"\x89PNG\r\n\x1a\nrest"),
        ("l.raw", b"Hi"),
    ]
    at, stored = _data_set(client, *files, ("table.csv", TABLE))
    assert stored == {"n_files": 5, "n_tables": 1}
    (tmp_path / "clinic").mkdir()
    for name, content in files[:4]:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "table.csv").write_bytes(TABLE)
    found = check_data(tmp_path / "clinic", tmp_path / "table.csv")
    write_mapping(tmp_path / "mapping.toml", found.mapping)
    expected = json.loads(json.dumps(found.to_dict()))
    answer = client.post(f"{at}/check", json={}).json()
    assert answer["mapping_toml"] == (tmp_path / "mapping.toml").read_text()
    assert (answer["photographs"], answer["tables"]) == (".", ["table.csv"])
    (note,) = answer["notes"]
    assert note.startswith("skipped in the photographs: 1 .raw")
    same = {name: answer[name] for name in expected if name != "notes"}
    assert same == {name: value for name, value in expected.items() if name != "notes"}
    assert answer["unmatched"]["rows"] == {"n": 1, "examples": ["c-1"]}
    chosen = {"columns": {"age": "malignant", "target": "Alter"}}
    assert client.post(f"{at}/check", json=chosen).status_code == 422


def test_folders_are_labels_if_wanted(client):
    files = [(f"clinic/{folder}/1.png", encode(draw_lesion())) for folder in ("nevus", "melanoma")]
    at, _ = _data_set(client, *files)
    found = client.post(f"{at}/check", json={"labels_from_folders": True, "malignant": ["mel"]})
    assert found.json()["label_counts"] == {"malignant": 1, "benign": 1, "without a label": 0}
    assert found.json()["photographs"] == "clinic"


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd.png", "/etc/shadow", "C:\\boot.jpg", "zip://a::/etc/z.png", HOSTILE],
)
def test_names_in_a_data_set_are_text_and_never_a_path(client, name):
    table = f"{name}.csv"
    at, _ = _data_set(client, *_photographs(), (name, b"rest"), (table, TABLE))
    folder = client.app.state.folder
    for path in folder.rglob("*"):
        assert re.fullmatch(r"(\w+/)?\w+(\.csv|\.zip)?", str(path.relative_to(folder)))
    answer = client.post(f"{at}/check", json={})
    assert answer.status_code == 200
    assert str(folder) not in answer.text
    assert answer.json()["n_matched"] == 2


def test_tables_that_name_files_of_the_machine_open_none(client, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(encode(draw_lesion()))
    table = f"image_id,path,age\na,{tmp_path}/a.png,50\nsecret,{secret},60\n".encode()
    at, _ = _data_set(client, *_photographs(), ("table.csv", table))
    found = client.post(f"{at}/check", json={}).json()
    assert (found["n_images"], found["n_matched"]) == (2, 1)
    assert found["unmatched"]["rows"]["examples"] == ["secret"]


def test_what_cannot_be_checked_is_refused_without_a_path(client):
    at, _ = _data_set(client, ("table.csv", TABLE))
    assert "no photographs" in client.post(f"{at}/check", json={}).json()["detail"]
    client.post(f"{at}/files", files=[("files", file) for file in _photographs()])
    client.post(f"{at}/files", files=[("files", ("broken.xlsx", b"PK\x03\x04"))])
    answer = client.post(f"{at}/check", json={})
    assert answer.status_code == 422
    assert "broken.xlsx" in answer.json()["detail"]
    assert str(client.app.state.folder) not in answer.text
    assert client.post(f"{at}/check", json={"columns": {"path": ["a"]}}).status_code == 422
    assert client.delete(at).status_code == 204
    assert list(client.app.state.folder.iterdir()) == []
    assert client.post(f"{at}/check", json={}).status_code == 404


def test_the_columns_of_a_refused_table_are_returned(client):
    at, _ = _data_set(client, *_photographs(), ("t.csv", b"zzz,Alter\na,50\nb,x\n"))
    answer = client.post(f"{at}/check", json={})
    assert answer.status_code == 422
    verdicts = {one["column"]: one["verdict"] for one in answer.json()["columns"]}
    assert verdicts == {"zzz": "not understood", "Alter": "not understood"}
    answer = client.post(f"{at}/check", json={"columns": {"image_id": "zzz", "age": "Alter"}})
    assert "Alter 'x' is not a number of years" in answer.json()["detail"]
    assert answer.json()["columns"][1]["examples"] == ["50", "x"]
    client.post(f"{at}/files", files={"files": ("t.csv", b"zzz,Alter\na,50\nb,60\n")})
    found = client.post(f"{at}/check", json={"columns": {"image_id": "zzz", "age": "Alter"}})
    assert found.json()["n_usable"] == 2


def test_data_sets_have_limits(client, monkeypatch):
    monkeypatch.setattr(_server, "_MOST_SETS", 1)
    monkeypatch.setattr(_data_set_module, "_MOST_FILES", 2)
    at, _ = _data_set(client, *_photographs())
    assert client.post("/data-sets").status_code == 409
    assert client.post(f"{at}/files", files={"files": ("c.png", b"x")}).status_code == 409


def test_more_photographs_than_are_kept_are_refused(client, lesion, monkeypatch):
    monkeypatch.setattr(_server, "_MOST", 1)
    _open(client, lesion)
    assert client.post("/photographs", files={"file": lesion}).status_code == 409


def test_formats_and_orientation(client):
    image = draw_lesion((120, 200), 40)
    for suffix in (".jpg", ".png", ".tiff", ".bmp", ".webp"):
        opened = _open(client, encode(image, suffix), f"a{suffix}")
        assert (opened["height"], opened["width"]) == (120, 200), suffix


def test_dicom_is_read(client, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    image = draw_lesion((120, 200), 40)
    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    file.SOPClassUID = SecondaryCaptureImageStorage
    file.Rows, file.Columns = image.shape[:2]
    file.SamplesPerPixel, file.PhotometricInterpretation = 3, "RGB"
    file.PlanarConfiguration = file.PixelRepresentation = 0
    file.BitsAllocated = file.BitsStored = 8
    file.HighBit = 7
    file.PixelData = np.ascontiguousarray(image).tobytes()
    file.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert _open(client, (tmp_path / "a.dcm").read_bytes(), "a.dcm")["width"] == 200


def test_a_port_in_use_is_refused(reader):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SourceError, match=r"is in use\. Choose another `port`"):
            serve(reader, port=taken.getsockname()[1], ready=lambda address: None)
