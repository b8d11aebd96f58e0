"""``hybridlesion recalibrate``: adapt a model to another site with labelled lesions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, argument, option
from hybridlesion.cli._progress import show_waiting

if TYPE_CHECKING:
    from hybridlesion.model import Recalibration

_SCORES = "Scores of the lesions, written by `score` with this model."
_TRUTH = "Diagnoses; repeat to join more."
_SIGN = "Sign the new model with the key in this file."
_WIDTH = "Wanted width of the interval of the sensitivity."


def recalibrate(
    model: options.Model,
    scores: Annotated[str, argument("SCORES", _SCORES)],
    truth: Annotated[list[str], option("TABLE", _TRUTH)],
    out: options.OutModel,
    width: Annotated[float, option("X", _WIDTH, min=0.01, max=1, group=EXPERT)] = 0.2,
    target: options.Target = None,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    id_column: options.IdColumn = None,
    column: options.Columns = None,
    key: options.Key = None,
    sign: Annotated[Path | None, option("KEYFILE", _SIGN, group=EXPERT)] = None,
    as_json: options.AsJson = False,
) -> None:
    """Recalibrate a model on labelled lesions of another site.

    Takes 50 to 500 lesions, moves the thresholds and keeps the ranking. The new file also contains
    the original calibration; MODEL is not changed.
    """
    from hybridlesion._formatting import count_words
    from hybridlesion.model import malignant_for_width
    from hybridlesion.persistence import read_key
    from hybridlesion.pipeline import split_steps, threshold_rule
    from hybridlesion.reporting import recalibrate_model

    with show_waiting("recalibrating"):
        result = recalibrate_model(
            *(model, scores, truth, out),
            id_column=id_column,
            columns=options.split_columns(column),
            target=target,
            malignant=options.split_words(malignant),
            benign=options.split_words(benign),
            key=None if key is None else read_key(key),
            sign=None if sign is None else read_key(sign),
        )
    output.print_diagnoses(result.diagnoses)
    output.print_notes(result.warnings)
    classifier = split_steps(result.model)[1]
    recalibration = classifier.recalibration_
    sensitivity = classifier.sensitivity
    needed = malignant_for_width(width, sensitivity=sensitivity)
    n_rows, n_positive = recalibration.n_rows, recalibration.n_positive
    lesions = -(-needed * n_rows // n_positive)
    if as_json:
        intervals = classifier.threshold_intervals_.items()
        facts = {
            "path": result.path,
            "recalibration": recalibration.facts(),
            "threshold": float(classifier.threshold_),
            "threshold_rule": threshold_rule(classifier),
            "thresholds": {at: output.attributes(v, "value", "low", "high") for at, v in intervals},
            "needed": {"width": width, "n_positive": needed, "n_rows": lesions},
        }
        output.print_json(facts)
        return
    for line in _lines(recalibration):
        output.echo(line)
    output.echo(output.format_thresholds(classifier))
    output.echo(
        f"For a 95 % interval of a sensitivity of {sensitivity:.0%} no wider than {width:g}, "
        f"{count_words(needed, 'malignant lesion')} are needed, about {lesions:,} lesions at this "
        f"share; these are {n_positive:,} of {n_rows:,}."
    )
    output.echo("Evaluate the new model on other lesions than these.")
    output.print_written(out, f"recalibrated on {count_words(n_rows, 'lesion')}")


def _lines(recalibration: Recalibration) -> list[str]:
    """Describe the choice, and the scores before."""
    from hybridlesion._formatting import count_words, measure_words

    r, found = recalibration, recalibration.before.set_index("metric")
    names = {"auc": "AUC", "recall": "sensitivity", "specificity": "specificity"}
    cells = {name: measure_words(name, *found.loc[name]) for name in names}
    measured = [f"{names[name]} {value} ({low})" for name, (value, low) in cells.items()]
    return [
        f"{count_words(r.n_rows, 'lesion')} in {count_words(r.n_groups, 'group')}, "
        f"{r.n_positive:,} malignant. At the threshold before ({r.threshold:.4g}): "
        f"{', '.join(measured)}",
        "map        log loss, cross-validated",
        *(
            f"{name:<9}  {loss:.4f}{'  chosen' if name == r.method else ''}"
            for name, loss in r.log_loss.items()
        ),
    ]
