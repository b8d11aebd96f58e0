"""A model moved to another site by the command."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from hybridlesion.cli.sites import _explain_choice


@pytest.fixture(scope="module")
def scores(hybridlesion, model_file, features_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("scores") / "scores.csv"
    result = hybridlesion("score", model_file, features_file, "--out", out)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def arguments(model_file, scores, lesions, tmp_path):
    truth = lesions / "metadata.csv"
    return (model_file, scores, "--truth", truth, "--out", tmp_path / "site.joblib")


def test_the_command_writes_a_model_that_scores(
    hybridlesion, arguments, model_file, features_file, scores, tmp_path
):
    before = model_file.read_bytes()
    result = hybridlesion("recalibrate", *arguments)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0].startswith("39 lesions in 20 groups, 10 malignant. At the threshold before (")
    assert sum(line.endswith(" chosen") for line in lines) == 1
    assert any(line.startswith("90 % sensitivity from 0.") for line in lines)
    needed = next(line for line in lines if "are needed" in line)
    assert "90 % no wider than 0.2, 37 malignant lesions are needed, about 145 lesions" in needed
    assert "these are 10 of 39" in needed
    out = tmp_path / "site.joblib"
    assert lines[-1].startswith(f"wrote {out}: recalibrated on 39 lesions, 0 failed, ")
    assert "recalibration is unreliable" in result.stderr
    assert model_file.read_bytes() == before
    for options in ((), ("--prevalence", 0.02), ("--explain",)):
        done = hybridlesion("score", out, features_file, "--out", tmp_path / "new.csv", *options)
        assert done.exit_code == 0, done.output
        new, old = pd.read_csv(tmp_path / "new.csv"), pd.read_csv(scores)
        pd.testing.assert_series_equal(
            new["score_original"], old["score"], check_names=False, rtol=1e-12
        )
        assert new["score"].rank().equals(old["score"].rank())
    shown = hybridlesion("inspect", out)
    assert "Recalibrated (" in shown.stdout


@pytest.mark.parametrize(("method", "said"), [("none", True), ("slope", False)])
def test_a_map_of_lower_loss_that_is_not_chosen_is_explained(method, said):
    found = SimpleNamespace(method=method, log_loss={"none": 0.31, "intercept": 0.32, "slope": 0.3})
    lines = _explain_choice(found)
    assert bool(lines) == said
    assert not said or lines[0].startswith("slope has a lower loss, but is not chosen: it gains")


def test_json(hybridlesion, arguments, tmp_path):
    result = hybridlesion("recalibrate", *arguments, "--json", "--width", 0.1)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["path"] == str(tmp_path / "site.joblib")
    assert found["recalibration"]["n_positive"] == 10
    assert found["threshold"] == found["thresholds"]["0.9"]["value"]
    assert found["needed"] == {"width": 0.1, "n_positive": 141, "n_rows": 550}
    assert any("unreliable" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--width", 0), 2, "--width"),
        (("--malignant", "zebra"), 1, "no row has the diagnosis 'zebra'"),
        (("--key", "nowhere.key"), 1, "nowhere.key"),
    ],
)
def test_refusals(hybridlesion, arguments, tmp_path, options, code, words):
    result = hybridlesion("recalibrate", *arguments, *options)
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert not (tmp_path / "site.joblib").exists()


def test_too_few_lesions_are_refused(hybridlesion, arguments, scores, tmp_path):
    pd.read_csv(scores).head(16).to_csv(tmp_path / "few.csv", index=False)
    model, _, *rest = arguments
    result = hybridlesion("recalibrate", model, tmp_path / "few.csv", *rest)
    assert result.exit_code == 1
    assert "needs at least 20 lesions" in result.stderr
    assert "got 16 lesions, " in result.stderr


def test_the_model_is_not_overwritten(hybridlesion, arguments, model_file):
    before = model_file.read_bytes()
    result = hybridlesion("recalibrate", *arguments[:-1], model_file)
    assert result.exit_code == 2
    assert "are the same file" in result.stderr
    assert model_file.read_bytes() == before
