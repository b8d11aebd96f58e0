"""Images to sheets: names, masks, failures, and the same numbers as the feature table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from hybridlesion.exceptions import HybridLesionError, OptionError, SourceError, TableError
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.inference import score_image
from hybridlesion.io import image_size, write_image, write_mask
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.plotting import write_abcd_sheets


@pytest.fixture
def records(lesions) -> pd.DataFrame:
    return lesions[["image_id", "path"]].head(3)


@pytest.fixture
def sheets(monkeypatch) -> list:
    """Figures that would be written; nothing is."""
    figures = []
    monkeypatch.setattr(
        "hybridlesion.plotting._abcd_files.save_figure",
        lambda figure, out, **_: figures.append((figure, out)),
    )
    return figures


def _words(figure) -> list[str]:
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return [text.get_text() for text in texts]


def test_one_image_is_one_file_in_the_current_folder(records, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = write_abcd_sheets(records.head(1))
    name = f"{records['image_id'][0]}_abcd.png"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (str(result.path), result.n_rows, result.n_failed) == (name, 1, 0)
    assert image_size(tmp_path / name) == (1000, 1600)


@pytest.mark.parametrize("name", ["sheet.pdf", "sheet.svg", "deep/sheet.PNG"])
def test_the_name_chooses_the_format(records, tmp_path, name):
    result = write_abcd_sheets(records.head(1), tmp_path / name)
    assert result.path == tmp_path / name
    assert result.path.stat().st_size > 10_000


def test_the_numbers_are_those_of_the_feature_table(records, sheets, tmp_path):
    write_abcd_sheets(records, tmp_path)
    table = LesionFeaturizer().fit_transform(records)
    for (figure, out), image_id, (_, row) in zip(
        sheets, records["image_id"], table.iterrows(), strict=True
    ):
        assert out == tmp_path / f"{image_id}_abcd.png"
        words = _words(figure)
        assert words[0] == image_id
        for name in ("asymmetry", "border", "color", "structures", "tds"):
            assert f"{row[f'abcd__{name}']:.{name == 'tds':d}f}" in words


def test_what_fails_among_many_is_listed(records, sheets, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    records = pd.concat([records, pd.DataFrame([{"image_id": "B", "path": str(broken)}])])
    steps = []
    result = write_abcd_sheets(records, tmp_path / "out", progress=lambda *s: steps.append(s))
    assert (result.n_rows, result.n_failed) == (3, 1)
    assert pd.read_csv(result.errors_path)["image_id"].tolist() == ["B"]
    assert steps[-1] == (4, 1, 4)
    with pytest.raises(HybridLesionError, match=r"broken\.png"):
        write_abcd_sheets(records.tail(1), tmp_path / "one.png")
    with pytest.raises(HybridLesionError, match="none of the 2 images"):
        write_abcd_sheets(pd.concat([records.tail(1)] * 2), tmp_path / "none")


def test_a_given_mask_is_the_one_that_is_measured(records, sheets, tmp_path):
    image_id, path = records.iloc[0]
    mask = np.zeros(image_size(path), bool)
    mask[60:100, 80:160] = True
    write_mask(tmp_path / f"{image_id}_segmentation.png", mask)
    for given in (tmp_path / f"{image_id}_segmentation.png", tmp_path):
        write_abcd_sheets(records.head(1), tmp_path / "s.png", masks=given)
        figure = sheets.pop()[0]
        assert f"Mask: {image_id}_segmentation.png." in _words(figure)
        # mirrored about an axis of the rectangle, everything has its partner
        assert any(words.startswith("0.0 % of the lesion") for words in _words(figure))
    result = write_abcd_sheets(records, tmp_path / "out", masks=tmp_path)
    assert (result.n_rows, result.n_failed) == (1, 2)


def test_masks_that_do_not_fit(records, tmp_path):
    write_mask(tmp_path / "m.png", np.ones((5, 7), bool))
    with pytest.raises(HybridLesionError, match="the same size"):
        write_abcd_sheets(records.head(1), tmp_path / "s.png", masks=tmp_path / "m.png")
    with pytest.raises(OptionError, match="is one mask, but there are 3 images"):
        write_abcd_sheets(records, tmp_path / "out", masks=tmp_path / "m.png")


def test_no_lesion_is_a_sheet_that_says_so(sheets, tmp_path):
    write_image(tmp_path / "skin.png", np.full((90, 120, 3), 200, np.uint8))
    records = pd.DataFrame([{"image_id": "skin", "path": str(tmp_path / "skin.png")}])
    write_abcd_sheets(records, tmp_path / "s.png")
    words = " ".join(_words(sheets[0][0]))
    assert "confidence 0.00. No lesion was found." in words


def test_wrong_outputs_are_refused_before_the_work(records, tmp_path):
    with pytest.raises(OptionError, match="3 images need a folder"):
        write_abcd_sheets(records)
    with pytest.raises(OptionError, match="3 images need a folder"):
        write_abcd_sheets(records, tmp_path / "s.png")
    with pytest.raises(OptionError, match=r"must end in \.png, \.pdf, \.svg"):
        write_abcd_sheets(records.head(1), tmp_path / "s.gif")
    with pytest.raises(TableError, match="`records` is empty"):
        write_abcd_sheets(records.head(0))
    assert not list(tmp_path.iterdir())


@pytest.mark.real
def test_real_lesions(real_data, tmp_path):
    images = sorted((real_data / "isic2017-hires" / "images").iterdir())[:3]
    records = pd.DataFrame([{"image_id": path.stem, "path": str(path)} for path in images])
    assert write_abcd_sheets(records, tmp_path).n_rows == 3


def test_a_network_draws_a_second_sheet(records, sheets, tmp_path):
    write_abcd_sheets(records.head(2), tmp_path, network="finetuned")
    first, second = records["image_id"].head(2)
    expected = [f"{name}_{kind}.png" for name in (first, second) for kind in ("abcd", "cnn")]
    assert [out.name for _, out in sheets] == expected
    assert sheets[1][0].get_suptitle() == first


def test_a_network_that_is_none_stops_before_the_images(tmp_path):
    gone = pd.DataFrame({"image_id": ["a"], "path": ["gone.png"]})
    with pytest.raises(SourceError, match="hybridlesion finetune"):
        write_abcd_sheets(gone, tmp_path / "a.png", network=tmp_path)


@pytest.fixture(scope="module")
def model(lesions) -> Pipeline:
    rng, target = np.random.default_rng(0), np.arange(60) % 4 == 0
    names = ["abcd__asymmetry", "abcd__color", "meta__age"]
    table = pd.DataFrame(rng.normal(size=(60, 3)) + target[:, None], columns=names)
    classifier = HybridLesionClassifier(3, max_trees=20).fit(table, target)
    featurizer = LesionFeaturizer("none", segmenter="classical").fit(lesions[["image_id", "path"]])
    return Pipeline([("features", featurizer), ("model", classifier)])


def test_a_model_adds_the_score_and_reasons_of_the_same_measurements(
    model, lesions, sheets, tmp_path
):
    known = lesions[["image_id", "path", "age"]].head(2)
    write_abcd_sheets(known, tmp_path, model=model, model_name="m.joblib")
    for (figure, _), row in zip(sheets, known.itertuples(), strict=True):
        answer = score_image(model, row.path, metadata={"age": row.age})
        words = _words(figure)
        assert f"Score {answer.score:.3g}" in words
        assert set(answer.reasons) <= set(words)
        assert answer.verdict.capitalize() in words
        assert "of m.joblib." in words
        assert figure.get_figheight() > 10


def test_a_model_without_images_or_with_another_segmenter_is_refused(model, records, tmp_path):
    with pytest.raises(TableError, match="tables alone"):
        write_abcd_sheets(records, tmp_path, model=model[1])
    refined = clone(model[0]).set_params(segmenter="refined")
    both = Pipeline([("features", refined), ("model", model[1])])
    with pytest.raises(OptionError, match="Leave out `segmenter`"):
        write_abcd_sheets(records, tmp_path, model=both, segmenter="classical")
