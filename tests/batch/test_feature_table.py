"""Feature tables: equal bytes however they are made, failures listed, columns by kind."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from hybridlesion import LesionFeaturizer, list_images
from hybridlesion.batch import errors_path, extract_features, read_feature_table, read_features
from hybridlesion.exceptions import HybridLesionError, SourceError, TableError

IDS = ["image_id", "path", "patient_id"]


@pytest.fixture
def file(tmp_path, quick):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name * 3)
    records = pd.DataFrame(
        {
            "image_name": ["a", "b"],
            "image_path": [str(tmp_path / f"{name}.txt") for name in "ab"],
            "patient_id": ["p", "p"],
            "gender": ["M", "F"],
            "diagnosis": ["nevus", "melanoma"],
            "target": [0.0, 1.0],
        }
    )
    return extract_features(records, tmp_path / "f.parquet", featurizer=quick).path


def test_the_file_tells_other_programs(file):
    said = json.loads(pq.read_schema(file).metadata[b"hybridlesion.columns"])
    assert said == {
        "features": ["abcd__length"],
        "ids": IDS,
        "answer": ["diagnosis", "target"],
        "quality": [],
        "facts": ["sex"],
    }


@pytest.mark.parametrize("ours", [True, False])
def test_features_are_read_apart_from_the_answer(file, ours):
    if not ours:
        # As of earlier releases or other programs: no metadata.
        read_features(file)[0].assign(qa__hair_share=0.5).to_parquet(file)
    table = read_feature_table(file)
    assert list(table.features) == ["abcd__length"]
    assert list(table.ids) == IDS
    assert table.answer["target"].tolist() == [0, 1]
    assert list(table.quality) == ([] if ours else ["qa__hair_share"])
    assert table.facts["sex"].tolist() == ["male", "female"]
    assert (table.configuration is not None) == ours


def test_passthrough_is_no_part_of_how_images_were_measured(file, quick, tmp_path):
    records = read_features(file)[0][["image_id", "path"]]
    featurizer = quick.set_params(passthrough="ids")
    other = extract_features(records, tmp_path / "g.parquet", featurizer=featurizer).path
    assert read_features(other)[1] == read_features(file)[1]


def test_a_table_without_features_is_refused(tmp_path):
    pd.DataFrame({"image_id": ["a"], "age": [50]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"is not a feature table.*image_id, age"):
        read_feature_table(tmp_path / "t.parquet")


@pytest.fixture
def records(lesions, tmp_path):
    """Eight lesions, one of them an unreadable file."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    few = lesions.head(8).reset_index(drop=True)
    few.loc[3, ["image_id", "path"]] = ["bad", str(bad)]
    return few


def test_rows_are_in_record_order_and_failures_listed(records, tmp_path):
    result = extract_features(records, tmp_path / "f.parquet", shard_size=3)
    table, configuration = read_features(result.path)
    assert table["image_id"].tolist() == records.drop(index=3)["image_id"].tolist()
    assert (result.n_rows, result.n_failed, result.n_reused) == (7, 1, 0)
    errors = pd.read_csv(result.errors_path)
    assert errors.columns.tolist() == ["image_id", "path", "stage", "reason"]
    assert errors.loc[0, ["image_id", "stage"]].tolist() == ["bad", "read"]
    assert configuration["segmenter"] == "refined"


def test_values_are_those_of_the_featurizer(records, tmp_path):
    good = records.drop(index=3)
    result = extract_features(good, tmp_path / "f.parquet")
    expected, _ = LesionFeaturizer().fit(good).featurize(good)
    table = read_features(result.path)[0]
    features = [column for column in table if "__" in column]
    np.testing.assert_array_equal(table[features], expected[features])


def test_bytes_do_not_depend_on_processes_or_interruption(records, tmp_path):
    one = extract_features(records, tmp_path / "one.parquet", shard_size=3).path
    two = extract_features(records, tmp_path / "two.parquet", shard_size=3, n_jobs=2).path

    def stop(done, failed, total):
        raise KeyboardInterrupt

    resumed = tmp_path / "resumed.parquet"
    with pytest.raises(KeyboardInterrupt):
        extract_features(records, resumed, shard_size=3, progress=stop)
    assert not resumed.exists()
    result = extract_features(records, resumed, shard_size=3)
    assert result.n_reused == 3
    assert one.read_bytes() == two.read_bytes() == resumed.read_bytes()


def _interrupted(records, out, **options):
    def stop(done, failed, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features(records, out, shard_size=3, progress=stop, **options)


def test_restart_computes_anew(records, tmp_path):
    out = tmp_path / "f.parquet"
    _interrupted(records, out)
    assert extract_features(records, out, shard_size=3, restart=True).n_reused == 0


def test_changed_configuration_is_not_resumed(records, tmp_path):
    out = tmp_path / "f.parquet"
    _interrupted(records, out)
    featurizer = LesionFeaturizer(long_side=256)
    with pytest.warns(UserWarning, match="1 stored shard .*: long_side was 512 and is now 256"):
        assert extract_features(records, out, shard_size=3, featurizer=featurizer).n_reused == 0


def test_changed_records_are_not_resumed(records, tmp_path):
    out = tmp_path / "f.parquet"
    _interrupted(records, out)
    changed = records.copy()
    changed.loc[0, "path"] = records.loc[1, "path"]
    with pytest.warns(UserWarning, match="the records, or their order, have changed"):
        assert extract_features(changed, out, shard_size=3).n_reused == 0


def test_changed_code_is_not_resumed(records, tmp_path, monkeypatch):
    out = tmp_path / "f.parquet"
    _interrupted(records, out)
    monkeypatch.setattr("hybridlesion.batch._shards.FEATURE_VERSION", 99)
    monkeypatch.setattr("hybridlesion.batch._measure.FEATURE_VERSION", 99)
    with pytest.warns(UserWarning, match="the code measures differently now"):
        assert extract_features(records.head(3), out, shard_size=3).n_reused == 0


def test_damaged_shard_is_computed_again(records, tmp_path):
    out = tmp_path / "f.parquet"
    _interrupted(records, out)
    (tmp_path / "f.parquet.shards" / "000000.parquet").write_bytes(b"PAR1 half")
    with pytest.warns(UserWarning, match="damaged"):
        result = extract_features(records, out, shard_size=3)
    assert (result.n_reused, result.n_rows) == (0, 7)


def test_nothing_but_the_outputs_is_left(records, tmp_path):
    folder = tmp_path / "out"
    extract_features(records, folder / "f.parquet", shard_size=3)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["f.parquet", "f.parquet.errors.csv"]


def test_old_error_list_goes_when_nothing_fails(records, tmp_path):
    out = tmp_path / "f.parquet"
    extract_features(records, out)
    assert errors_path(out).exists()
    extract_features(records.drop(index=3), out)
    assert not errors_path(out).exists()


def test_progress_counts_to_the_end(records, tmp_path):
    calls = []
    extract_features(
        records, tmp_path / "f.parquet", shard_size=3, progress=lambda *a: calls.append(a)
    )
    assert calls == [(3, 0, 8), (6, 1, 8), (8, 1, 8)]


def test_masks_on_request(records, tmp_path):
    extract_features(records.drop(index=3), tmp_path / "f.parquet", masks=tmp_path / "masks")
    assert len(list((tmp_path / "masks").glob("*_segmentation.png"))) == 7


def test_column_types_do_not_depend_on_what_a_shard_holds(records, tmp_path):
    mixed = records.drop(index=3).reset_index(drop=True)
    mixed.loc[:2, ["sex", "site"]] = None
    mixed.loc[:2, "age"] = np.nan
    result = extract_features(mixed, tmp_path / "f.parquet", shard_size=3)
    types = {field.name: str(field.type) for field in pq.read_schema(result.path)}
    assert types["sex"] == "string"
    assert types["age"] == "double"
    assert types["meta__age"] == "float"


def test_no_usable_image_is_an_error_with_the_list(records, tmp_path):
    out = tmp_path / "f.parquet"
    with pytest.raises(HybridLesionError, match="none of the 1 images"):
        extract_features(records.iloc[[3]], out)
    assert errors_path(out).exists()
    assert not out.exists()


def test_no_records(records, tmp_path):
    with pytest.raises(TableError, match="no records"):
        extract_features(records.iloc[:0], tmp_path / "f.parquet")


def test_output_that_is_a_folder_is_refused_before_work(records, tmp_path):
    with pytest.raises(SourceError, match="is a folder"):
        extract_features(records, tmp_path)


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5])
def test_number_of_processes_is_checked(records, tmp_path, n_jobs):
    with pytest.raises(ValueError, match="n_jobs must be"):
        extract_features(records, tmp_path / "f.parquet", n_jobs=n_jobs)


def test_a_table_that_is_none_is_refused(tmp_path):
    (tmp_path / "f.parquet").write_text("image_id,score")
    with pytest.raises(TableError, match="cannot be read as a Parquet table"):
        read_features(tmp_path / "f.parquet")


def test_replaced_archive_is_not_resumed(lesions, tmp_path):
    archive, out = tmp_path / "images.zip", tmp_path / "f.parquet"

    def pack(paths):
        with zipfile.ZipFile(archive, "w") as target:
            for number, path in enumerate(paths):
                target.write(path, f"IMAGE_{number}.jpg")

    pack(lesions["path"].iloc[:6])
    _interrupted(list_images(archive), out)
    pack(lesions["path"].iloc[6:12])
    with pytest.warns(UserWarning, match="the image file of IMAGE_0 has changed"):
        assert extract_features(list_images(archive), out, shard_size=3).n_reused == 0
