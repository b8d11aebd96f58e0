"""Every command and every Python block of the documents runs, in its order, on drawn lesions."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from hybridlesion.io import read_image, write_image

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample"
QUICK = {
    "check": ("--jobs", "1"),
    "features": ("--jobs", "1"),
    "fit": ("--folds", "2", "--jobs", "1"),
    "score": ("--jobs", "1"),
    "segment": ("--jobs", "1"),
    "evaluate": ("--bootstrap", "20"),
    "report": ("--jobs", "1"),
    "recalibrate": (),
    "drift": (),
    "inspect": (),
    "explain": (),
}
"""What is added to a command, so that it takes seconds on the sample."""

ELSEWHERE = ("pip", "make", "dask", "python", "sh", "git", "cd")
"""Programs that these tests do not start: installing, clusters, hours of measuring."""

NOT_RUN = {
    "RESULTS.md": "hours of measuring; the scripts have tests of their own",
    "app.md": "a server that runs until it is stopped, tested in tests/app",
}


def _blocks(text):
    """Commands (a list of words) and Python blocks (text), in the order of the page."""
    text = re.sub(r"\\\n\s*", " ", text)
    pattern = r"```(sh|python)\n(.*?)```|^ {4}((?:hybridlesion|openssl) [^\n]*)$"
    for language, block, indented in re.findall(pattern, text, flags=re.DOTALL | re.MULTILINE):
        if language == "python":
            yield block
        else:
            lines = (indented or block).splitlines()
            yield from (shlex.split(line, comments=True) for line in lines)


@pytest.fixture
def run_page(hybridlesion, tmp_path, monkeypatch):
    """Run what a page shows; give its commands. Words that stand for others are put in."""
    monkeypatch.chdir(tmp_path)

    def run(page, *, stand_ins=None, names=None, quick=None):
        ran, names = [], dict(names or {})
        for block in _blocks((ROOT / page).read_text(encoding="utf-8")):
            if isinstance(block, str):
                exec(compile(block, page, "exec"), names)
                ran.append("python")
                continue
            words = [(stand_ins or {}).get(word, word) for word in block]
            if not words or words[0] in ELSEWHERE or "--dask" in words:
                continue
            if words[0] == "openssl":
                Path(words[-1]).write_text("0123456789abcdef" * 4)
                continue
            assert words[0] == "hybridlesion", words
            more = {**QUICK, **(quick or {})}[words[1]]
            result = hybridlesion(*words[1:], *more)
            assert result.exit_code == 0, f"{words}: {result.output}"
            ran.append(words[1])
        return ran

    return run


@pytest.fixture
def download(tmp_path) -> Path:
    """The sample, laid out as the README and the tutorial ask for, and as the others name it."""
    shutil.copytree(SAMPLE / "images", tmp_path / "ISIC_2020" / "train")
    shutil.copy(SAMPLE / "metadata.csv", tmp_path / "ISIC_2020" / "train.csv")
    pairs = pd.DataFrame({"image_name_1": ["ISIC_0079038"], "image_name_2": ["ISIC_8521950"]})
    pairs.to_csv(tmp_path / "ISIC_2020" / "ISIC_2020_Training_Duplicates.csv", index=False)
    truth = pd.read_csv(SAMPLE / "metadata.csv").head(3)
    truth = truth.drop(columns=["diagnosis", "benign_malignant", "target"])
    truth.to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "new_images").mkdir()
    for name in truth["image_name"]:
        shutil.copy(SAMPLE / "images" / f"{name}.jpg", tmp_path / "new_images")
    shutil.copytree(SAMPLE / "images", tmp_path / "images")
    shutil.copy(SAMPLE / "metadata.csv", tmp_path / "table.csv")
    return tmp_path


@pytest.fixture(scope="session")
def fitted(hybridlesion, tmp_path_factory) -> Path:
    """Folder with features.parquet and model.joblib of the sample, without a network."""
    folder = tmp_path_factory.mktemp("fitted")
    table, out = folder / "features.parquet", folder / "model.joblib"
    arguments = (SAMPLE / "images", "--metadata", SAMPLE / "metadata.csv", "--embedder", "none")
    done = hybridlesion("features", *arguments, "--out", table, "--jobs", 1)
    assert done.exit_code == 0, done.output
    done = hybridlesion("fit", table, "--out", out, "--folds", 2, "--jobs", 1)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def model(fitted, download) -> Path:
    """Copies of the feature table and the model in the folder of the download."""
    shutil.copytree(fitted, download, dirs_exist_ok=True)
    return download / "model.joblib"


@pytest.mark.slow
def test_the_tutorial(run_page, download):
    ran = run_page("docs/tutorial.md")
    measured = ["check", "features", "features"]
    assert ran == [*measured, "fit", "evaluate", "report", "score", "report", "score"]
    assert len(pd.read_csv("oof.csv")) == 24
    assert (download / "report" / "report.html").stat().st_size > 0
    plain, moved = (pd.read_csv(f"scores{end}.csv") for end in ("", "_2_percent"))
    assert (moved["score"] < plain["score"]).all()


@pytest.mark.slow
def test_the_readme(run_page, download, capsys):
    shutil.copytree(SAMPLE, download / "data" / "sample")
    assert run_page("README.md") == ["features", "fit", "score", "python"]
    assert len(pd.read_csv("scores.csv")) == 3
    assert capsys.readouterr().out.startswith("[0.")


@pytest.mark.slow
def test_the_report(run_page, model, download):
    shutil.copy(next((SAMPLE / "images").glob("*.jpg")), download / "image.jpg")
    names = pd.read_csv(download / "table.csv")["image_name"]
    other = pd.DataFrame({"image_id": names, "score": np.linspace(0, 1, len(names))})
    other.to_csv("other.csv", index=False)
    ran = run_page("docs/report.md")
    assert ran == ["score", "report", "fit", "report", "report", "explain", "python"]
    assert Path("report/report.html").stat().st_size > 0
    assert Path("image_cnn.png").stat().st_size > 0


@pytest.mark.slow
def test_model_files(run_page, model):
    assert run_page("docs/artifacts.md") == ["fit", "score", "inspect"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:with fewer than 50 lesions")
def test_sites(run_page, model, download):
    names = pd.read_csv(download / "table.csv")["image_name"]
    # Three images are a patient; both hospitals have patients with and without a melanoma.
    hospitals = np.where(np.arange(len(names)) // 3 % 2, "Graz", "Lyon")
    table = pd.DataFrame({"image_name": names, "hospital": hospitals})
    table.to_csv("hospitals.csv", index=False)
    ran = run_page("docs/sites.md")
    one_site = ["score", "evaluate", "recalibrate", "inspect", "score", "score"]
    assert ran == [
        *one_site,
        *("fit", "report", "evaluate", "report"),
        *("python", "python"),
        *("score", "score", "drift"),
    ]
    assert "How it travels" in (download / "report" / "report.html").read_text()
    assert {"set", "confidence"} <= set(pd.read_csv("site_sets.csv"))
    usual, rare = (pd.read_csv(f"site_scores{end}.csv") for end in ("", "_2_percent"))
    assert (rare["score"] < usual["score"]).all()
    assert (rare["score_original"] == usual["score_original"]).all()


@pytest.mark.slow
def test_a_first_run(run_page, download):
    quick = {"features": ("--jobs", "1", "--embedder", "none")}
    ran = run_page("docs/first_run.md", quick=quick)
    assert ran == ["check", "features", "fit", "report", "score"]
    assert pd.read_csv("scores.csv")["reason_1"].notna().all()


@pytest.mark.slow
def test_masks_and_measurements(run_page, download, capsys):
    shutil.copy(next((SAMPLE / "images").glob("*.jpg")), download / "image.jpg")
    assert run_page("docs/masks.md") == ["segment", "python"]
    assert "% of the photograph" in capsys.readouterr().out
    assert len(list(Path("masks").glob("*_segmentation.png"))) == 24
    assert run_page("docs/measurements.md") == ["explain", "python"]
    assert "abcd__seven_point_streaks" in capsys.readouterr().out


@pytest.mark.slow
def test_own_models_and_thresholds(run_page, model, capsys):
    truth = pd.read_parquet("features.parquet")
    names = {"y": truth["target"], "patients": truth["patient_id"], "my_scores": truth["target"]}
    assert run_page("docs/own_models.md", names=names) == ["python", "python"]
    assert run_page("docs/thresholds.md") == ["fit", "evaluate", "python"]
    assert "abstains for" in capsys.readouterr().out
    points = pd.read_csv("evaluation/operating_points.csv")
    assert {"sensitivity_low", "specificity_low", "precision_low"} <= set(points)


@pytest.mark.slow
def test_batch_scoring(hybridlesion, run_page, model, tmp_path):
    (tmp_path / "team.key").write_text("0123456789abcdef" * 4)
    fit = (tmp_path / "features.parquet", "--out", model, "--folds", 2, "--jobs", 1)
    signed = hybridlesion("fit", *fit, "--sign", tmp_path / "team.key")
    assert signed.exit_code == 0, signed.output
    places = {"/data/incoming": "new_images", "/data/today.csv": "new.csv", "/data/cache": "cache"}
    for _ in range(2):
        assert run_page("docs/batch_scoring.md", stand_ins=places) == ["score"]
    assert len(pd.read_csv("scores.csv")) == 3
    assert any(Path("cache").rglob("*"))


@pytest.mark.slow
def test_scale(run_page, download):
    records = pd.read_csv("new.csv").rename(columns={"image_name": "image_id"})
    records["path"] = [f"images/{name}.jpg" for name in records["image_id"]]
    ran = run_page(
        "docs/scale.md",
        stand_ins={"IMAGES": "images", "TABLE": "table.csv"},
        names={"records": records},
        quick={"features": ("--embedder", "none")},
    )
    assert ran == ["features", "features", "python"]


@pytest.mark.slow
def test_the_sample_is_drawn_again(run_page):
    assert run_page("data/README.md") == ["python"]
    again, kept = (pd.read_csv(path / "metadata.csv") for path in (Path("data/sample"), SAMPLE))
    pd.testing.assert_frame_equal(again, kept)


ONE_HOT = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
PH2_HEADER = (
    "||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment Network | "
    "Dots/Globules | Streaks | Regression Areas | Blue-Whitish Veil ||           Colors ||"
)


@pytest.fixture
def data_sets(tmp_path) -> Path:
    """Drawn lesions in the layout of each public data set, under its folder."""
    drawn = pd.read_csv(SAMPLE / "metadata.csv")
    drawn["image_id"] = [f"ISIC_{number:07d}" for number in range(len(drawn))]
    drawn["target"] = drawn["target"].astype(int)
    for place in ("ISIC_2016/images", "ISIC_2017/images", "ISIC_2018/images", "ISIC_2019/images"):
        _copy_images(drawn.head(4), tmp_path / place)
    _copy_images(drawn.head(12), tmp_path / "HAM10000" / "HAM10000_images_part_1")
    _copy_images(drawn.tail(12), tmp_path / "HAM10000" / "HAM10000_images_part_2")
    _copy_images(drawn.head(4), tmp_path / "isic")
    _write_isic_2016_to_2019(drawn, tmp_path)
    _write_ham10000(drawn, tmp_path / "HAM10000")
    _write_isic_2024(drawn.head(4), tmp_path / "ISIC_2024")
    _write_ph2(drawn.head(2), tmp_path / "PH2")
    _write_derm7pt(drawn.head(3), tmp_path / "Derm7pt")
    outlines = tmp_path / "ISIC_2018" / "task2"
    outlines.mkdir()
    shutil.copy(SAMPLE / "masks" / f"{drawn['image_name'][0]}_segmentation.png",
                outlines / "ISIC_0000000_attribute_globules.png")  # fmt: skip
    archive = drawn[["image_id", "age_approx", "sex", "patient_id"]]
    archive = archive.rename(columns={"image_id": "isic_id"}).assign(copyright_license="CC-0")
    archive["diagnosis_1"] = np.where(drawn["target"], "Malignant", "Benign")
    archive.to_csv(tmp_path / "isic" / "metadata.csv", index=False)
    return tmp_path


def _copy_images(rows, folder):
    folder.mkdir(parents=True)
    for name, image_id in zip(rows["image_name"], rows["image_id"], strict=True):
        shutil.copy(SAMPLE / "images" / f"{name}.jpg", folder / f"{image_id}.jpg")


def _write_isic_2016_to_2019(drawn, folder):
    words = drawn["target"].map({0: "benign", 1: "malignant"})
    pd.DataFrame({"id": drawn["image_id"], "truth": words}).to_csv(
        folder / "ISIC_2016" / "ISBI2016_ISIC_Part3_Training_GroundTruth.csv",
        index=False,
        header=False,
    )
    truth = drawn[["image_id"]].assign(melanoma=drawn["target"], seborrheic_keratosis=0)
    truth.to_csv(folder / "ISIC_2017" / "ISIC-2017_Training_Part3_GroundTruth.csv", index=False)
    facts = drawn[["image_id"]].assign(age_approximate="unknown", sex=drawn["sex"])
    facts.to_csv(folder / "ISIC_2017" / "ISIC-2017_Training_Data_metadata.csv", index=False)
    (folder / "ISIC_2017" / "masks").mkdir()
    for name, image_id in drawn[["image_name", "image_id"]].head(4).to_numpy():
        mask = SAMPLE / "masks" / f"{name}_segmentation.png"
        shutil.copy(mask, folder / "ISIC_2017" / "masks" / f"{image_id}_segmentation.png")
    image = drawn["image_id"].to_frame("image")
    hot = image.assign(**dict.fromkeys(ONE_HOT, 0)).assign(
        MEL=drawn["target"], NV=1 - drawn["target"]
    )
    hot.to_csv(folder / "ISIC_2018" / "ISIC2018_Task3_Training_GroundTruth.csv", index=False)
    image.assign(lesion_id=drawn["patient_id"], diagnosis_confirm_type="histopathology").to_csv(
        folder / "ISIC_2018" / "ISIC2018_Task3_Training_LesionGroupings.csv", index=False
    )
    hot = hot.rename(columns={"AKIEC": "AK"}).assign(SCC=0, UNK=0)
    hot["image"] += "_downsampled"
    hot.to_csv(folder / "ISIC_2019" / "ISIC_2019_Training_GroundTruth.csv", index=False)
    facts = hot[["image"]].assign(age_approx=drawn["age_approx"], anatom_site_general="head/neck")
    facts.assign(lesion_id=drawn["patient_id"], sex=drawn["sex"]).to_csv(
        folder / "ISIC_2019" / "ISIC_2019_Training_Metadata.csv", index=False
    )
    shutil.copytree(SAMPLE / "images", folder / "ISIC_2020" / "train")
    shutil.copy(SAMPLE / "metadata.csv", folder / "ISIC_2020" / "train.csv")
    pairs = pd.DataFrame({"image_name_1": ["ISIC_0079038"], "image_name_2": ["ISIC_8521950"]})
    pairs.to_csv(folder / "ISIC_2020" / "ISIC_2020_Training_Duplicates.csv", index=False)


def _write_ham10000(drawn, folder):
    table = drawn[["image_id", "sex"]].assign(
        lesion_id=drawn["patient_id"],
        dx=np.where(drawn["target"], "mel", "nv"),
        dx_type="histo",
        age=drawn["age_approx"],
        localization="back",
    )
    table.loc[table.index[0], "dx"] = "bcc"
    table.to_csv(folder / "HAM10000_metadata.csv", index=False)


def _write_isic_2024(rows, folder):
    folder.mkdir()
    table = rows[["patient_id", "age_approx", "sex", "target"]].assign(
        isic_id=rows["image_id"], tbp_lv_area=2.5, iddx_full="Benign", clin_size_long_diam_mm=3.0
    )
    table.to_csv(folder / "train-metadata.csv", index=False)
    with h5py.File(folder / "train-image.hdf5", "w") as file:
        for name, image_id in zip(rows["image_name"], rows["image_id"], strict=True):
            file[image_id] = np.void((SAMPLE / "images" / f"{name}.jpg").read_bytes())


def _write_ph2(rows, folder):
    lines = [PH2_HEADER]
    for number, name in enumerate(rows["image_name"]):
        image_id = f"IMD{number:03d}"
        home = folder / "PH2 Dataset images" / image_id
        image, mask = home / f"{image_id}_Dermoscopic_Image", home / f"{image_id}_lesion"
        image.mkdir(parents=True)
        mask.mkdir()
        write_image(image / f"{image_id}.bmp", read_image(SAMPLE / "images" / f"{name}.jpg"))
        true = read_image(SAMPLE / "masks" / f"{name}_segmentation.png")
        write_image(mask / f"{image_id}_lesion.bmp", true)
        lines.append(f"|| {image_id} ||  || {2 * number} || 0 | T | A | A | A | A || 4 ||")
    (folder / "PH2_dataset.txt").write_text("\n".join(lines) + "\n")


def _write_derm7pt(rows, folder):
    for name in rows["image_name"]:
        (folder / "images" / "NEL").mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLE / "images" / f"{name}.jpg", folder / "images" / "NEL")
    (folder / "meta").mkdir()
    table = pd.DataFrame({"case_num": range(len(rows)), "sex": rows["sex"], "location": "back"})
    table["diagnosis"] = ["clark nevus", "melanoma (in situ)", "blue nevus"]
    table["derm"] = table["clinic"] = "NEL/" + rows["image_name"] + ".jpg"
    table.to_csv(folder / "meta" / "meta.csv", index=False)


@pytest.mark.slow
def test_the_data_sets(run_page, data_sets):
    quick = {"features": ("--jobs", "1", "--embedder", "none")}
    ran = run_page("docs/datasets.md", quick=quick)
    assert ran.count("features") == 10
    assert set(ran) == {"features", "segment", "fit", "python"}
    targets = {
        name: pd.read_parquet(f"{name}.parquet")["target"].sum()
        for name in ("isic2016", "isic2017", "isic2018", "isic2019", "isic2020", "isic2024")
    }
    drawn = pd.read_csv(SAMPLE / "metadata.csv")["target"]
    assert targets.pop("isic2020") == drawn.sum()
    assert set(targets.values()) == {drawn.head(4).sum()}
    assert pd.read_parquet("ph2.parquet")["target"].tolist() == [0, 1]
    assert pd.read_parquet("derm7pt.parquet")["target"].tolist() == [0, 1, 0]


def test_every_page_with_code_is_run_or_says_why_not():
    tests = Path(__file__).read_text(encoding="utf-8")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    pages += [*ROOT.glob("data/*.md"), *ROOT.glob("pipelines/*.md"), *ROOT.glob("benchmarks/*.md")]
    with_code = [
        page
        for page in pages
        if any(
            isinstance(block, str) or (block and block[0] not in ELSEWHERE)
            for block in _blocks(page.read_text(encoding="utf-8"))
        )
    ]
    left_out = [
        page.name
        for page in with_code
        if page.name not in NOT_RUN and f'"{page.relative_to(ROOT)}"' not in tests
    ]
    assert len(with_code) > 7
    assert left_out == []
