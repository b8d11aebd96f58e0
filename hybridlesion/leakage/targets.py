"""Target leakage: columns and acquisition data that encode or nearly encode the diagnosis."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from hybridlesion._formatting import count_words
from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.io import image_size
from hybridlesion.leakage.audit import Finding, Severity
from hybridlesion.leakage.training_membership import is_network_score
from hybridlesion.metadata import column_key, is_acquisition, leak_reason, read_columns

_FOLDS = 5
# Numbers with at most this many distinct values are also ranked as codes; others are binned.
_CODES, _BINS = 50, 20
# Text is parsed as numbers or dates if at least this share of it can be.
_READABLE = 0.95


class ColumnAUC(NamedTuple):
    """Discrimination of a single column.

    Parameters
    ----------
    auc : float
        Area under the ROC curve in the better direction.
    known : ndarray of shape (n,), bool
        Rows on which it is computed.
    by_missing : bool
        Whether rows are ranked by missingness rather than by value.
    """

    auc: float
    known: np.ndarray
    by_missing: bool


def rank_by_column(
    column: pd.Series, y: np.ndarray, groups: np.ndarray | None = None, *, codes: bool = True
) -> list[ColumnAUC]:
    """Measure how well a single column ranks malignant above benign rows.

    Parameters
    ----------
    column : Series of shape (n,)
        Numbers, booleans, dates or words.
    y : ndarray of shape (n,), 0 or 1
        Target.
    groups : ndarray of shape (n,), default=None
        Patient of each row. If None, each row is treated as a separate patient.
    codes : bool, default=True
        Whether numbers are also treated as codes without an order.

    Returns
    -------
    list of ColumnAUC
        Rankings by the order of the values, if they have one; for text and codes, by the
        out-of-fold share of malignant rows with the same value; and by missingness, if values are
        missing.

    Examples
    --------
    >>> found = rank_by_column(pd.Series([1, 2, None]), [0, 1, 1], codes=False)
    >>> [(one.auc, int(one.known.sum()), one.by_missing) for one in found]
    [(1.0, 2, False), (0.75, 3, True)]
    """
    y, known = np.asarray(y) == 1, column.notna().to_numpy()
    found = []

    def add(values: np.ndarray, rows: np.ndarray, *, turn: bool, by_missing: bool = False) -> None:
        if 0 < y[rows].sum() < rows.sum():
            auc = _auc(values[rows], y[rows])
            found.append(ColumnAUC(max(auc, 1 - auc) if turn else auc, rows, by_missing))

    numbers = _as_numbers(column)
    if numbers is not None:
        add(numbers, known, turn=True)
    if codes or numbers is None:
        # Out-of-fold shares have a direction; reversing it would make noise look informative.
        labels = _as_codes(column, numbers)
        add(_shares(labels, y, groups), known, turn=False)
    if not known.all():
        add(known.astype(float), np.ones(len(y), dtype=bool), turn=True, by_missing=True)
    return found


def lower_bound(auc: float, n_positive: int, n_negative: int, confidence: float = 0.975) -> float:
    """Compute the lower confidence bound of an AUC.

    Parameters
    ----------
    auc : float
        Area under the ROC curve, 0.5 to 1.
    n_positive, n_negative : int
        Number of rows of each class, at least 1.
    confidence : float, default=0.975
        One-sided confidence level.

    Returns
    -------
    float
        Lowest AUC, at least 0.5, that is consistent with the estimate.

    Notes
    -----
    Uses the standard error of Hanley and McNeil [1]_ at the bound, because at the estimate it is 0
    for an AUC of 1 [2]_.

    References
    ----------
    .. [1] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating
       characteristic (ROC) curve", Radiology 143, 29-36, 1982.
    .. [2] R. G. Newcombe, "Confidence intervals for an effect size measure based on the
       Mann-Whitney statistic", Statistics in Medicine 25, 559-573, 2006.

    Examples
    --------
    >>> round(lower_bound(0.95, 5, 100), 2), round(lower_bound(0.95, 200, 2000), 2)
    (0.69, 0.92)
    """
    a = np.linspace(0.5, max(auc, 0.5), 501)
    one, two = a / (2 - a), 2 * a**2 / (1 + a)
    spread = a * (1 - a) + (n_positive - 1) * (one - a**2) + (n_negative - 1) * (two - a**2)
    error = np.sqrt(np.clip(spread, 0, None) / (n_positive * n_negative))
    return float(a[np.argmax(auc - a <= ndtri(confidence) * error)])


def _as_numbers(column: pd.Series) -> np.ndarray | None:
    """Convert numbers, dates, and text that contains either; None for unordered values."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    known = column.notna()
    if isinstance(column.dtype, pd.CategoricalDtype) or not known.any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about ambiguous day and month
        for read in (pd.to_numeric, _to_seconds):
            numbers = read(column.astype(object), errors="coerce")
            if numbers[known].notna().mean() >= _READABLE:
                return numbers.to_numpy(dtype=float, na_value=np.nan)
    return None


def _to_seconds(column: pd.Series, errors: str) -> pd.Series:
    dates = pd.to_datetime(column, errors=errors, format="mixed", utc=True)
    return (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds()


def _as_codes(column: pd.Series, numbers: np.ndarray | None) -> np.ndarray:
    if numbers is None:
        return pd.factorize(column.astype(object).map(str, na_action="ignore"))[0]
    codes, values = pd.factorize(numbers)
    if len(values) <= _CODES:
        return codes
    edges = np.nanquantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers))


def _shares(codes: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Compute out-of-fold shares of malignant rows by code, shrunk towards the prevalence."""
    groups = np.arange(len(y)) if groups is None else pd.factorize(np.asarray(groups))[0]
    of_group = np.random.default_rng(0).permutation(groups.max() + 1) % _FOLDS
    fold, shares, n_codes = of_group[groups], np.empty(len(y)), codes.max() + 2
    for held in range(_FOLDS):
        learned = fold != held
        n_rows = np.bincount(codes[learned] + 1, minlength=n_codes)
        n_positive = np.bincount(codes[learned] + 1, y[learned], n_codes)
        share = (n_positive + y.mean()) / (n_rows + 1)
        shares[~learned] = share[codes[~learned] + 1]
    return shares


def _auc(values: np.ndarray, y: np.ndarray) -> float:
    positives = y.sum()
    above = rankdata(values)[y].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(y) - positives)))


# AUC of a single column above which it must encode the target.
_TOO_GOOD = 0.995
# All rows are used if the AUC exceeds this on a sample of this many rows of each class.
_SAMPLE_AUC, _SAMPLE_ROWS = 0.98, 1000
# Family-wise probability that noise is reported.
_BY_CHANCE = 1e-3
_FROM_PIXELS = ("abcd__", "perceived__", "emb__")
# A metadata column is suspicious above the first AUC, or above the second if it exceeds all other
# columns by the margin, provided that the lower confidence bound is high enough.
_HIGH, _REMARKABLE, _MARGIN = 0.90, 0.80, 0.10
_AT_LEAST_HIGH, _AT_LEAST = 0.75, 0.70
_STANDARD = ("meta__age", "meta__sex_male", "meta__site_")
_ENOUGH_ROWS = 10_000


def find_target_leaks(
    table: pd.DataFrame, y: np.ndarray, names: Sequence[str], groups: np.ndarray | None = None
) -> list[Finding]:
    """Find single columns that separate the classes almost perfectly.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), 0 or 1
        Target.
    names : sequence of str
        Columns that the model reads.
    groups : ndarray of shape (n,), default=None
        Patient or lesion of each row, so that a code shared only by images of one group is not
        reported. If None, each row is treated as a separate group.

    Returns
    -------
    list of Finding
        Columns of metadata or scores of unknown origin are refused; columns measured from the
        pixels cause a warning, since they may separate the classes of easy images.

    Notes
    -----
    A column is reported if its AUC in the better direction exceeds 0.995, on the rows that have a
    value or by missingness, and if chance is ruled out: the number of ways to choose the
    positives, ``C(n, p)``, must exceed a thousand times the number of columns.
    """
    y, leaks, easy = np.asarray(y) == 1, [], []
    sample = _sample(y)
    for name in names:
        measured = name.startswith(_FROM_PIXELS) or _is_unseen_score(table, name)
        column, codes = table[name], not measured
        some = None if groups is None else groups[sample]
        glance = rank_by_column(column.iloc[sample], y[sample], some, codes=codes)
        if any(one.auc > _SAMPLE_AUC for one in glance) and any(
            one.auc > _TOO_GOOD and _cannot_be_chance(y[one.known], len(names))
            for one in rank_by_column(column, y, groups, codes=codes)
        ):
            (easy if measured else leaks).append(name)
    found = f"malignant from benign lesions alone, with an AUC above {_TOO_GOOD}"
    source = "the diagnosis or from a model that was fitted on these rows"
    leak = f"{found}: such values come from {source}; leave them out"
    check = f"{found}; check whether both classes were photographed in the same way"
    refused = _report("target leak", Severity.REFUSE, "separate", leak, leaks)
    return refused + _report("target leak", Severity.WARN, "separate", check, easy)


def find_suspicious_columns(
    table: pd.DataFrame, y: np.ndarray, names: Sequence[str], groups: np.ndarray | None = None
) -> list[Finding]:
    """Find metadata columns that discriminate better than metadata plausibly can.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), 0 or 1
        Target.
    names : sequence of str
        Columns that the model reads. Columns that begin with ``meta__`` are tested; measurements of
        the image serve for comparison.
    groups : ndarray of shape (n,), default=None
        Patient of each row. If None, each row is treated as a separate patient.

    Returns
    -------
    list of Finding
        At most two warnings: columns reported by their values, and by their missingness.

    Notes
    -----
    A column is reported if its AUC is above 0.90 and, with 97.5 % confidence, above 0.75; or if it
    is above 0.80, exceeds every other column by 0.10, and with the same confidence exceeds these
    columns and 0.70. The other columns are age, sex, site, measurements of the image, and columns
    below 0.80. In both cases, the AUC must exceed the best of the same number of noise columns.
    Columns reported by `find_target_leaks` or `find_named_leaks` are not repeated.
    """
    y = np.asarray(y) == 1
    sample = _sample(y, _ENOUGH_ROWS)
    table, y = table.iloc[sample], y[sample]
    groups = None if groups is None else np.asarray(groups)[sample]
    suspected = [name for name in names if name.startswith("meta__")]
    measured = [name for name in names if name.startswith(("abcd__", "perceived__", "cnn__"))]
    rankings = _rank_all(table, y, suspected, groups)
    others = [one.auc for name, one in rankings if _is_standard(name, one)]
    others += [one.auc for name, one in rankings if one.auc <= _REMARKABLE]
    others += [one.auc for name in measured for one in rank_by_column(table[name], y, codes=False)]
    best = max(others, default=0.5)
    found: dict[bool, dict[str, float]] = {False: {}, True: {}}
    for name, one in rankings:
        if _is_suspicious(one, y, best, len(rankings), standard=_is_standard(name, one)):
            found[one.by_missing][name] = one.auc
    return [_warn(by_missing, aucs, best) for by_missing, aucs in found.items() if aucs]


def find_named_leaks(names: Sequence[str]) -> list[Finding]:
    """Find feature columns whose names show that a model must not use them.

    Parameters
    ----------
    names : sequence of str
        Columns that the model reads, such as ``meta__mel_thick_mm``; only columns that begin with
        ``meta__`` or ``ctx__`` are checked.

    Returns
    -------
    list of Finding
        Columns known only at or after diagnosis are refused; acquisition facts cause a warning.
    """
    bare = {name: name.split("__", 1)[1] for name in names if name.startswith(("meta__", "ctx__"))}
    leaks = [name for name in bare if leak_reason(bare[name]) is not None]
    facts = [name for name in leaks if is_acquisition(bare[name])]
    late = [name for name in leaks if name not in facts]
    after = "what is known only at or after diagnosis; leave out"
    how = "how or where an image was taken, not what it shows; leave out"
    refused = _report("train-only column", Severity.REFUSE, "hold", after, late)
    return refused + _report("acquisition column", Severity.WARN, "describe", how, facts)


def find_constant_columns(table: pd.DataFrame, names: Sequence[str]) -> list[Finding]:
    """Find feature columns without variation.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    names : sequence of str
        Columns that the model reads.

    Returns
    -------
    list of Finding
        A note that such columns stay in the model, with weight 0.
    """
    constant = [name for name in names if table[name].nunique(dropna=False) < 2]
    words = "the same value in every row: kept, with weight 0"
    return _report("constant column", Severity.NOTE, "hold", words, constant)


def _report(
    kind: str, severity: Severity, verb: str, words: str, names: list[str]
) -> list[Finding]:
    """Make a finding about columns, if there are any."""
    found = Finding(kind, severity, f"{_columns(names, verb)} {words}", tuple(names))
    return [found] if names else []


def _sample(y: np.ndarray, most: int = _SAMPLE_ROWS) -> np.ndarray:
    """Sample rows of each class, to screen a thousand columns quickly."""
    rng = np.random.default_rng(0)
    classes = (np.flatnonzero(~y), np.flatnonzero(y))
    sampled = [rng.choice(rows, min(len(rows), most), False) for rows in classes]
    return np.sort(np.concatenate(sampled))


def _rank_all(
    table: pd.DataFrame, y: np.ndarray, names: Sequence[str], groups: np.ndarray | None
) -> list[tuple[str, ColumnAUC]]:
    """Rank by each column, and by missingness once for columns missing in the same rows."""
    patterns, rankings = set(), []
    for name in names:
        found = rank_by_column(table[name], y, groups)
        values = [one for one in found if not one.by_missing]
        if values:
            rankings.append((name, max(values, key=lambda one: one.auc)))
        pattern = table[name].isna().to_numpy().tobytes()
        if pattern not in patterns:
            patterns.add(pattern)
            rankings += [(name, one) for one in found if one.by_missing]
    return rankings


def _is_standard(name: str, one: ColumnAUC) -> bool:
    """Whether a ranking is by age, sex or site, which may legitimately be the best column."""
    return name.startswith(_STANDARD) and not one.by_missing


def _is_suspicious(
    one: ColumnAUC, y: np.ndarray, best: float, n_columns: int, *, standard: bool
) -> bool:
    positives = int(y[one.known].sum())
    negatives = int(one.known.sum()) - positives
    error = math.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    if one.auc - 0.5 < error * -ndtri(_BY_CHANCE / n_columns):
        return False
    low = lower_bound(one.auc, positives, negatives)
    if one.auc > _HIGH and low > _AT_LEAST_HIGH:
        return True
    far = one.auc > max(_REMARKABLE, best + _MARGIN) and low > max(_AT_LEAST, best)
    return far and not standard


def _warn(by_missing: bool, aucs: dict[str, float], best: float) -> Finding:
    low, high = min(aucs.values()), max(aucs.values())
    reached = f"{high:.3f}" if len(aucs) == 1 else f"{low:.3f} to {high:.3f}"
    missing = f"missingness of {count_words(len(aucs), 'column')} separates"
    words = (
        f"{missing if by_missing else _columns(aucs, 'separate')} malignant from benign lesions "
        f"alone with an AUC of {reached}; the best other column reaches {best:.3f}. Keep only what "
        "is known before diagnosis for every new lesion"
    )
    return Finding("suspicious column", Severity.WARN, words, columns=tuple(aucs))


def _cannot_be_chance(y: np.ndarray, n_columns: int) -> bool:
    n, p = len(y), int(y.sum())
    ways = math.lgamma(n + 1) - math.lgamma(p + 1) - math.lgamma(n - p + 1)
    return ways > math.log(n_columns / _BY_CHANCE)


def _is_unseen_score(table: pd.DataFrame, name: str) -> bool:
    """Whether a column is the score of a hybridlesion network that was not trained on the rows."""
    known = is_network_score(name) and "qa__cnn_seen" in table
    return known and bool((table["qa__cnn_seen"] < 2).all())


def _columns(names: Collection[str], verb: str) -> str:
    return f"1 column {verb}s" if len(names) == 1 else f"{len(names):,} columns {verb}"


_FEW_ROWS = 10_000

# Columns that describe later processing, not the acquisition.
_NO_FACTS = ("fold", "split", "tfrecord", "score_weight", "validation_weight", "mask_source")
# Number of texts of a fact that are distinguished; rarer texts are pooled.
_MAX_LEVELS = 100
# AUC at which acquisition facts start to cause a warning.
_WARN_AUC = 0.6
_PREDICTIVE = (
    "no model reads them as columns, but a network may detect them in the pixels, and they will "
    "not generalise to other sites: judge the model by how far its AUC exceeds this one"
)


def acquisition_facts(
    table: pd.DataFrame,
    sources: Sequence[str | os.PathLike],
    excluded: Iterable[str],
    id_column: str | None = None,
) -> pd.DataFrame:
    """Collect what is known about the acquisition of each image.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table with ``image_id`` and, if known, ``patient_id`` and ``path``.
    sources : sequence of str or path-like
        Tables from which it was joined.
    excluded : iterable of str
        Columns of these tables that are excluded from the features.
    id_column : str, default=None
        Column of the tables with the image id. If None, it is detected.

    Returns
    -------
    DataFrame of shape (n, facts)
        Acquisition columns of the tables, ``images of the patient``, and ``file size``, ``width``
        and ``height`` of local image files; constant columns are left out.
    """
    wanted = [
        name for name in excluded if is_acquisition(name) and column_key(name) not in _NO_FACTS
    ]
    facts = pd.DataFrame(index=table.index)
    for source in sources if wanted else ():
        facts = facts.combine_first(read_columns(source, wanted, table["image_id"], id_column))
    if "patient_id" in table:
        count = table["patient_id"].map(table["patient_id"].value_counts())
        facts["images of the patient"] = count.astype(float)
    if "path" in table:
        facts = facts.combine_first(_file_facts(table["path"]))
    facts = facts.loc[:, facts.nunique(dropna=False) > 1]
    return facts[sorted(facts)]


def find_acquisition_leaks(
    facts: pd.DataFrame, y: np.ndarray, groups: np.ndarray, folds: np.ndarray
) -> list[Finding]:
    """Measure how well acquisition facts alone discriminate, out of fold.

    Parameters
    ----------
    facts : DataFrame of shape (n, facts)
        Result of `acquisition_facts`.
    y : ndarray of shape (n,), 0 or 1
        Target.
    groups : ndarray of shape (n,), int
        Group of each row, for the confidence interval.
    folds : ndarray of shape (n,), int
        Grouped fold of each row.

    Returns
    -------
    list of Finding
        The AUC of a small gradient boosting model fitted to the facts; a warning if the AUC is at
        least 0.6 and its interval lies above 0.5.
    """
    if facts.empty:
        return []
    # Imports much of scikit-learn, which is not needed to measure images.
    from hybridlesion.metrics import evaluate

    measures = evaluate(y, _out_of_fold(facts, y, folds), groups=groups, n_bootstrap=200)
    auc, low, high = measures.set_index("metric").loc["auc", ["value", "low", "high"]]
    severity, meaning = Severity.NOTE, "they predict little"
    if auc >= _WARN_AUC and low > 0.5:
        severity, meaning = Severity.WARN, _PREDICTIVE
    reached = f"an AUC of {auc:.3f} ({low:.3f} to {high:.3f}) out of fold"
    words = f"acquisition data alone reach {reached}; {meaning}"
    return [Finding("acquisition", severity, words, columns=tuple(facts))]


def _file_facts(paths: pd.Series) -> pd.DataFrame:
    """Measure local files in bytes and pixels; NaN for archive members and remote files."""
    facts = []
    for path in paths:
        width, height, size = np.nan, np.nan, np.nan
        if isinstance(path, str) and os.path.isfile(path):
            # A file that was measured before may have been damaged since.
            with suppress(ImageError, SourceError):
                height, width = map(float, image_size(path))
                size = float(os.path.getsize(path))
        facts.append((size, width, height))
    return pd.DataFrame(facts, paths.index, ["file size", "width", "height"], dtype=float)


def _out_of_fold(facts: pd.DataFrame, y: np.ndarray, folds: np.ndarray) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    encoded = pd.DataFrame({name: _encode(column) for name, column in facts.items()})
    model = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=8,
        min_samples_leaf=max(1, min(20, len(y) // 20)),
        early_stopping=False,
        class_weight="balanced",
        random_state=0,
    )
    score = np.empty(len(y))
    # With few rows, the overhead of several threads exceeds their benefit.
    with threadpool_limits(1 if len(y) < _FEW_ROWS else None):
        for fold in np.unique(folds):
            held = folds == fold
            model.fit(encoded.to_numpy()[~held], y[~held])
            score[held] = model.predict_proba(encoded.to_numpy()[held])[:, 1]
    return score


def _encode(column: pd.Series) -> np.ndarray:
    """Encode texts by the rank of their frequency, leaving numbers unchanged."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    texts = column.astype(object)
    levels = texts.value_counts().index
    rank = pd.Series(np.arange(len(levels), dtype=float), levels).clip(upper=_MAX_LEVELS)
    return texts.map(rank).to_numpy(dtype=float)
