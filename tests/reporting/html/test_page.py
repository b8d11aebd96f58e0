"""The page as a file: what it says, what it does not know, and what it must never hold."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import ArtifactError, OptionError
from hybridlesion.inference import score_table
from hybridlesion.io import write_mask
from hybridlesion.persistence import load_artifact, save_artifact
from hybridlesion.reporting import write_page


@pytest.fixture(scope="module")
def text(files):
    return files.page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bare(files, tmp_path_factory):
    """Page of the model file alone."""
    return write_page(files.model, tmp_path_factory.mktemp("bare")).path.read_text()


def _section(page, name):
    return re.search(rf'<section id="{name}".*?</section>', page, flags=re.DOTALL)[0]


def _plain(markup):
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).replace("\N{NO-BREAK SPACE}", " ")


def test_it_asks_nothing_of_a_network_and_names_no_folder(text, files):
    assert re.findall(r"https?://\S+", text) == []
    targets = re.findall(r'\b(?:src|href)="([^"]*)"', text)
    assert {target.split(":")[0][:1] for target in targets} == {"d", "#"}
    assert all(target.startswith(("data:", "#")) for target in targets)
    assert str(files.page.parent) not in text


def test_hostile_names_are_text(text):
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<script>document" not in text
    assert text.count("<script") == 1


def test_links_lead_somewhere_and_ids_are_unique(text):
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_the_summary_says_what_was_learned_and_found(text):
    words = _plain(_section(text, "summary"))
    assert "trained on 90 lesions of 30 patients" in _plain(text)
    assert re.search(r"On 60 lesions scored later, the AUC is 0\.\d+ \(95 % interval", words)
    at = r"the threshold for 90 % sensitivity \(0\.\d+\)"
    assert len(re.findall(f"malignant at or above {at} gives a sensitivity of", words)) == 2
    assert re.search(f"Errors refer to {at}", _plain(_section(text, "gallery")))
    assert re.search(f"malignant at or above {at}", _plain(_section(text, "card")))


def test_the_model_has_its_name_and_five_numbers(text):
    assert "<h1>model</h1>" in text
    tiles = re.findall(r"<dt>(.*?)</dt><dd><b>(.*?)</b>", _section(text, "summary"))
    names = ["AUC", "Sensitivity", "Specificity", "Calibration slope", "Lesions"]
    assert [name for name, _ in tiles] == names
    assert tiles[-1][1] == "60"


def test_no_section_names_an_option(text, bare):
    assert (
        re.findall(
            r"(?<![\w-])--[a-z]+", _plain(re.sub(r"<(style|script).*?</\1>", "", text, flags=re.S))
        )
        == []
    )
    assert "<code>" not in bare


def test_who_was_studied_and_how_many_were_left_out(text, bare):
    words = " ".join(_plain(_section(text, "participants")).split())
    assert "95 rows of the tables 5 images left out90 used for the model" in words
    assert "61 images to score 1 image left out60 scored" in words
    assert re.search(r"Sex (fe)?male\d+ \(\d+ %\)\d+ \(\d+ %\)\d+ \(\d+ %\) (fe)?male", words)
    for number in ("20a", "20b"):
        item = rf'{number}</td><th scope="row">[^<]*</th><td>'
        assert re.search(item + '<a href="#participants">reported', text)
    assert "Table 1: not available" in _section(bare, "participants")
    assert re.search(r'20b</td><th scope="row">[^<]*</th><td>not available', bare)


def test_other_scores_are_compared_with_the_model(text, bare):
    words = _plain(_section(text, "comparison"))
    assert "age alone" in words
    assert re.search(r"AUC\s*0\.9\d\d\s*0\.\d+\s*\+0\.\d+\s*\+0\.\d+ to \+0\.\d+\s*better", words)
    assert "metadata alone, a logistic regression and the CNN alone: not available" in words
    assert "not available" in _section(bare, "comparison")


def test_charts_and_measures_of_both_sets(text):
    section = _section(text, "performance")
    assert section.count("<svg") == 8
    assert section.count("Calibration slope</") + section.count("Calibration slope <") == 2
    assert "#0072B2" not in section.upper()


def test_subgroups_are_measured_and_gaps_named(text):
    words = _plain(_section(text, "subgroups"))
    for title in ("Age", "Sex", "Site", "Skin tone, estimated by ITA", "Hair", "head/neck"):
        assert title in words
    assert "Dark corner: unknown for all lesions, so a difference would not be noticed." in words


def test_cases_show_picture_outline_reasons_sheet_and_the_patients_lesions(text):
    section = _section(text, "gallery")
    assert section.count('class="case"') == 60
    assert section.count('alt="Photograph of') == 59
    assert "No image: 5.png cannot be shown" in section
    assert section.count('<path d="M') == 59
    assert section.count("benign lesions (") >= 60
    assert _plain(section).count("A asymmetry") == 60
    assert section.count('aria-current="true"') == 60
    numbers = [float(value) for value in re.findall(r'data-score="([^"]+)"', section)]
    assert numbers == sorted(numbers, reverse=True)


def test_the_most_telling_cases_have_a_drawn_sheet_and_a_map(text):
    section = _section(text, "gallery")
    assert "4 of them have an ABCD sheet" in _plain(section)
    assert section.count('<details class="drawn">') == 4
    assert section.count('<img class="seen"') == 4
    assert _plain(section).count("of the attribution for melanoma lies on the lesion") == 4
    images = re.findall(r"<img [^>]*>", section)
    assert len(images) == 59 + 4 + 4
    assert all('loading="lazy"' in image for image in images)


def test_a_sheet_that_cannot_be_drawn_is_told(files, tmp_path):
    write_mask(tmp_path / "LATER_0001_segmentation.png", np.ones((7, 9), bool))
    scores = pd.read_csv(files.scores).query("image_id == 'LATER_0001'")
    scores.to_csv(tmp_path / "s.csv", index=False)
    page = write_page(files.model, tmp_path, scores=tmp_path / "s.csv", masks=tmp_path)
    assert page.warnings[-1].startswith("1 of 1 ABCD sheets could not be drawn. The first: ")
    assert 'class="drawn"' not in page.path.read_text()


def test_sheets_may_be_left_out(files, tmp_path):
    options = {"masks": files.masks, "n_cases": 2, "n_sheets": 0}
    page = write_page(files.model, tmp_path, scores=files.scores, **options).path.read_text()
    assert "ABCD scores" in page
    for name in ("ABCD sheet", 'id="seen"', 'class="drawn"', "of the attribution"):
        assert name not in page


def test_leaks_are_checked(text, files, tmp_path):
    words = _plain(_section(text, "leaks"))
    assert "None of the 30 groups, over 3 folds" in words
    assert "diagnosis (it is the answer)" in words
    assert "2 pictures look alike (2 cases). Checks: near-duplicates." in words
    assert "None of 60 lesions or their patients" in words


def test_scored_training_lesions_are_told(files, tmp_path):
    scores = score_table(load_artifact(files.model), files.training.drop(columns="age"))
    scores.to_csv(tmp_path / "s.csv", index=False)
    page = write_page(files.model, tmp_path, scores=tmp_path / "s.csv").path.read_text()
    assert "90 of 90 images, 30 of 30 patients were in the training" in page
    assert "No image: the path of the image is unknown." in page


def test_out_of_fold_scores_are_known_and_give_subgroups(files, tmp_path):
    model = load_artifact(files.model)[-1]
    oof = files.training[["image_id", "patient_id"]].assign(
        target=np.asarray(model.target_), score=np.asarray(model.oof_score_)
    )
    oof.sample(frac=1, random_state=0).to_csv(tmp_path / "oof.csv", index=False)
    known = files.training.drop(columns=["patient_id"]).assign(target=oof["target"])
    known.to_csv(tmp_path / "t.csv", index=False)
    options = {"scores": tmp_path / "oof.csv", "truth": [tmp_path / "t.csv"]}
    page = write_page(files.model, tmp_path, **options).path.read_text()
    assert "Skin tone" in _plain(_section(page, "subgroups"))
    assert _section(page, "performance").count("<svg") == 4
    assert "optimistic" not in _plain(_section(page, "summary"))
    assert "no score comes from a model that was trained on the patient" in _section(page, "leaks")


def test_a_model_alone_says_what_is_not_available(bare):
    assert _section(bare, "performance").count("<svg") == 4
    for name in ("subgroups", "gallery", "ablation"):
        assert "ot available" in _section(bare, name)
    words = _plain(_section(bare, "checklists"))
    assert re.search(r"14\s*Fairness\s*not available", words)
    assert re.search(r"12a\s*How data were divided\s*reported", words)
    assert re.search(r"17\s*Ethical approval\s*not available", words)


def test_checklists_answer_more_with_more_evidence(text, bare):
    def reported(page):
        return _section(page, "checklists").count(">reported<")

    assert reported(text) > reported(bare) > 10
    assert re.search(r"14\s*Fairness\s*reported", _plain(_section(text, "checklists")))


def test_an_ablation_table_is_shown_as_given(files, tmp_path):
    pd.DataFrame({"left out": ["<b>border</b>"], "auc": [0.71234]}).to_csv(tmp_path / "a.csv")
    page = write_page(files.model, tmp_path, ablation=tmp_path / "a.csv").path.read_text()
    assert "&lt;b&gt;border&lt;/b&gt;" in _section(page, "ablation")
    assert "<td>0.712</td>" in _section(page, "ablation")


def test_few_cases_are_chosen_and_counted(files, tmp_path):
    options = {"masks": files.masks, "n_cases": 4, "n_sheets": 1}
    page = write_page(files.model, tmp_path, scores=files.scores, **options)
    text = page.path.read_text()
    assert page.n_cases == 4
    assert "4 of 60 scored lesions" in text
    assert "truth unknown" in text


def test_baselines_in_the_model_file_are_compared(files, tmp_path):
    pipeline = load_artifact(files.model)
    pipeline[-1].fit_baselines(files.training)
    save_artifact(tmp_path / "m.joblib", pipeline)
    page = write_page(tmp_path / "m.joblib", tmp_path).path.read_text()
    words = _plain(_section(page, "comparison"))
    assert "Metadata alone (age, sex, site), out of fold" in words
    assert "Logistic regression on all columns, out of fold, on the same 90 lesions" in words
    assert "A model should also beat the CNN alone: not available" in words


def test_scores_to_compare_with_need_the_truth(files, tmp_path):
    with pytest.raises(OptionError, match="`against` needs `scores` and `truth`"):
        write_page(files.model, tmp_path, scores=files.scores, against=[files.scores])


def test_no_model_no_page(tmp_path):
    (tmp_path / "m.joblib").write_bytes(b"nothing")
    with pytest.raises(ArtifactError):
        write_page(tmp_path / "m.joblib", tmp_path / "out")
    assert not (tmp_path / "out" / "report.html").exists()
