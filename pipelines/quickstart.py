"""The library on synthetic lesions: fit, cross-validate by patient, save, load, score.

python pipelines/quickstart.py OUT
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.model_selection import GroupKFold, cross_val_score

from hybridlesion import load_artifact, make_hybrid_pipeline, make_lesions, save_artifact


def main(out: Path, n_patients: int = 24) -> None:
    """Run the recipe.

    Parameters
    ----------
    out : Path
        Folder for images and model.
    n_patients : int, default=24
        How many patients to draw, each with three lesions.
    """
    records = make_lesions(
        out / "lesions", n_patients=n_patients, lesions_per_patient=(3, 3), malignant_share=0.2
    )
    y = records["target"]
    pipe = make_hybrid_pipeline(n_splits=3, memory=str(out / "memory"))

    folds = list(GroupKFold(3).split(records, groups=records["patient_id"]))
    auc = cross_val_score(pipe, records, y, cv=folds, scoring="roc_auc", error_score="raise")
    print("AUC in each patient-grouped fold:", auc.round(3))

    pipe.fit(records, y)
    save_artifact(out / "model.joblib", pipe)
    again = load_artifact(out / "model.joblib")
    print("scores after reloading:", again.predict_proba(records.head(3))[:, 1].round(3))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    main(parser.parse_args().out)
