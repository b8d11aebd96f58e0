"""Derivation of diagnoses and targets from tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words, shorten
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._columns import Options, RecognisedTable
from hybridlesion.metadata._diagnosis import NOT_MELANOMA, read_diagnosis, read_outcome, split_words
from hybridlesion.metadata._reading import Findings, describe_rows
from hybridlesion.metadata._values import normalise
from hybridlesion.metadata._vocabulary import Role

# Hierarchical diagnoses of the ISIC archive and of ISIC 2024, the most informative level first;
# level 1 is the outcome.
_DIAGNOSIS_LEVELS = ("diagnosis_3", "iddx_3", "diagnosis_2", "iddx_2")
_OUTCOME_LEVELS = ("diagnosis_1", "iddx_1")


def derive_diagnosis(table: RecognisedTable, options: Options) -> pd.Series | None:
    """Find the diagnosis of every row.

    Parameters
    ----------
    table : RecognisedTable
        The table; its findings receive problems of 0/1 columns and the spellings of diagnoses.
    options : Options
        Diagnoses named by the user, which are kept in the rows that use them.

    Returns
    -------
    Series of shape (n,) or None
        Normalised diagnoses; None if the table has none.
    """
    named = {*options.malignant, *options.benign}
    if table.layout.one_hot:
        return _read_one_hot(table, named)
    names = [table.by_key[key] for key in _DIAGNOSIS_LEVELS if key in table.by_key]
    outcomes = [table.by_key[key] for key in _OUTCOME_LEVELS if key in table.by_key]
    if Role.DIAGNOSIS in table.by_role:
        names, outcomes = [table.by_role[Role.DIAGNOSIS]], []
    if not names:
        return None
    diagnosis = written = pd.Series(np.nan, table.frame.index, dtype=object)
    for name in [*names, *outcomes]:
        column = table.frame[name]
        level = normalise(column, lambda cell: read_diagnosis(cell).name, table.rows).values
        # An unknown finer level says less than a broader level, even if that is just the outcome.
        better = diagnosis.notna() & ~_understood(diagnosis) & _understood(level)
        if name not in outcomes:
            better |= diagnosis.isna() & level.notna()
        diagnosis = diagnosis.mask(better, level)
        written = written.mask(better, column.astype(object))
    as_named = written.map({cell: " ".join(split_words(str(cell))) for cell in written.unique()})
    known = diagnosis.map(lambda word: read_diagnosis(word).named, na_action="ignore").eq(True)
    diagnosis = diagnosis.mask(as_named.isin(named) & known, as_named).infer_objects()
    for name, same in written.groupby(diagnosis, sort=False):
        table.findings.add_words(name, (str(cell).strip() for cell in same.value_counts().index))
    return diagnosis


def _understood(diagnosis: pd.Series) -> pd.Series:
    return diagnosis.map(lambda word: read_diagnosis(word).understood, na_action="ignore").eq(True)


def derive_target(
    table: RecognisedTable, diagnosis: pd.Series | None, options: Options
) -> pd.Series | None:
    """Determine which rows are malignant.

    Parameters
    ----------
    table : RecognisedTable
        The table; its findings receive values other than 0 and 1, and contradictions.
    diagnosis : Series of shape (n,) or None
        Its normalised diagnoses.
    options : Options
        Diagnoses that the user named as malignant, if any.

    Returns
    -------
    Series of shape (n,), float or None
        1 if malignant, 0 if benign, NaN if unknown; None if the table does not say.

    Notes
    -----
    The target is taken from the first of these that applies: the diagnoses given by ``malignant=``;
    a target column; ``benign_malignant``; the first level of a hierarchical diagnosis; the default
    of the layout (melanoma against the rest for ISIC 2017, 2018, 2019 and HAM10000); diagnoses that
    only say malignant or benign. With ``malignant=``, a row without a diagnosis counts as 0 if the
    table calls it benign, as for most of ISIC 2020. An unknown or doubtful diagnosis leaves the
    target missing, unless ``benign=`` names it.
    """
    outcomes = [_read_column(table, name) for name in _outcome_columns(table)]
    stated = outcomes[0] if outcomes else None
    for other in outcomes[1:]:
        bad = (stated.notna() & other.notna() & (stated != other)).to_numpy()
        if bad.any():
            both = f"{describe_rows(table.rows[bad])}: {stated.name} and {other.name}"
            cure = "Correct the table, or leave one column out."
            table.findings.problems.append(f"{both} contradict each other. {cure}")
    malignant = options.malignant or (() if outcomes else table.layout.malignant)
    if stated is not None and diagnosis is not None and not malignant:
        _note_disagreement(stated, diagnosis, table.findings)
    target = stated
    if diagnosis is not None and (malignant or (stated is None and _are_outcomes(diagnosis))):
        target = _judge(diagnosis, frozenset(malignant))
        if stated is not None:
            target = target.where(target.notna() | (stated != 0), 0.0)
    if diagnosis is not None and options.benign:
        target = pd.Series(np.nan, diagnosis.index) if target is None else target
        target = target.mask(diagnosis.isin(options.benign), 0.0)
    return None if target is None else target.rename("target")


def _note_disagreement(stated: pd.Series, diagnosis: pd.Series, findings: Findings) -> None:
    """Report melanomas that a column calls benign, and benign diagnoses that it calls malignant."""
    benign = [word for word in diagnosis.dropna().unique() if read_diagnosis(word).malignant == 0]
    # Of other malignancies, a target of melanoma against the rest says 0.
    missed = (diagnosis == "melanoma") & (stated == 0)
    raised = diagnosis.isin(benign) & (stated == 1)
    if not (missed | raised).any():
        return
    called = [
        f"{list_diagnoses(diagnosis[rows])} {side}"
        for rows, side in ((missed, "benign"), (raised, "malignant"))
        if rows.any()
    ]
    findings.warnings.append(
        f"{stated.name} calls {', and '.join(called)}; it is used, although the diagnoses say "
        "otherwise. Check that it is not reversed."
    )


def _judge(diagnosis: pd.Series, malignant: frozenset[str]) -> pd.Series:
    """Return the target of each diagnosis, given the malignant diagnoses; NaN if unknown."""

    def judge(word: str) -> float:
        reading = read_diagnosis(word)
        if word in malignant or reading.named:
            return float(word in malignant)
        # "not melanoma" may be another diagnosis that counts as malignant.
        if reading.malignant is None or (word == NOT_MELANOMA and malignant != {"melanoma"}):
            return np.nan
        return reading.malignant

    judged = {word: judge(word) for word in diagnosis.dropna().unique()}
    return diagnosis.map(judged).astype(float)


def _are_outcomes(diagnosis: pd.Series) -> bool:
    """Whether the diagnoses only say malignant or benign."""
    readings = [read_diagnosis(word) for word in diagnosis.dropna().unique()]
    said = [reading.malignant is not None for reading in readings if reading.understood]
    return any(said) and not any(reading.named for reading in readings)


def _outcome_columns(table: RecognisedTable) -> list[str]:
    names = dict.fromkeys([table.by_role.get(Role.TARGET), table.by_key.get("benign_malignant")])
    levels = [table.by_key[key] for key in _OUTCOME_LEVELS if key in table.by_key]
    return [name for name in names if name is not None] or levels[:1]


def _read_column(table: RecognisedTable, name: str) -> pd.Series:
    column = table.frame[name]
    one_hot = [table.by_key[key] for key in table.layout.one_hot]
    if name in one_hot and _are_marks(table.frame[one_hot]):
        return column.notna().astype(float).rename(name)
    outcome = normalise(column, read_outcome, table.rows)
    table.findings.problems.extend(outcome.faults)
    _note_labels(column, outcome.values, table.findings)
    return outcome.values.astype(float).rename(name)


def _are_marks(columns: pd.DataFrame) -> bool:
    """Whether all cells are X or blank, as in the spreadsheet of PH2."""
    cells = pd.concat([columns[name].drop_duplicates() for name in columns]).dropna()
    return set(cells.astype(str).str.strip().str.lower()) == {"x"}


def _note_labels(column: pd.Series, outcome: pd.Series, findings: Findings) -> None:
    """Report which words were read as malignant and benign, unless they are 0 and 1."""
    cells = column[outcome.notna()].map(lambda cell: str(cell).strip())
    counts = cells.groupby([outcome[outcome.notna()], cells]).size()
    plain = {"0", "1", "0.0", "1.0", "true", "false", "benign", "malignant"}
    if {word.lower() for _, word in counts.index} <= plain:
        return
    words: dict[float, list[str]] = {1.0: [], 0.0: []}
    for (side, word), n in counts.items():
        words[side].append(f"{word!r} ({count_words(n, 'row')})")
    malignant, benign = (shorten(side) or "nothing" for side in words.values())
    findings.warnings.append(f"{column.name}: {malignant} counts as malignant, {benign} as benign.")


def _read_one_hot(table: RecognisedTable, named: set[str]) -> pd.Series:
    """Convert 0/1 columns, or columns marked X, to one diagnosis per row."""
    layout = table.layout
    # A class that the user named by its code, such as MAL_OTH, keeps the code.
    words_of = {key: key if key in named else word for key, word in layout.one_hot.items()}
    flags = {key: _read_column(table, table.by_key[key]) for key in layout.one_hot}
    given = np.column_stack([*flags.values()])
    chosen = given == 1
    several = chosen.sum(axis=1) > 1
    if several.any():
        where = f"{describe_rows(table.rows[several])}: more than one of {', '.join(flags)} is 1"
        table.findings.problems.append(f"{where}. Each image has one diagnosis.")
    words = np.array([*words_of.values()], dtype=object)
    rest = np.where(np.isnan(given).any(axis=1), None, layout.otherwise)
    diagnosis = np.where(chosen.any(axis=1), words[chosen.argmax(axis=1)], rest)
    for key, word in words_of.items():
        table.findings.add_words(word, [str(table.by_key[key])])
    return pd.Series(diagnosis, index=table.frame.index).infer_objects()


COLUMNS = ("diagnosis", "side", "n_rows", "words")
_SIDES = {1.0: "malignant", 0.0: "benign"}

_ORDER = ("malignant", "benign", "undecided", "unknown", "")


def count_diagnoses(
    frame: pd.DataFrame, words: Mapping[str, Sequence[str]] | pd.DataFrame
) -> pd.DataFrame:
    """Count the diagnoses of records, by target.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    words : mapping of str to sequence of str, or DataFrame
        Diagnosis -> spellings in the tables; or an earlier count, which includes them.

    Returns
    -------
    DataFrame of shape (m, 4)
        ``diagnosis``, normalised, or "" for records without one; ``side``: malignant, benign,
        undecided (known, but neither), unknown (not a known diagnosis), or "" if the records have
        no target; ``n_rows``; ``words``, a tuple of spellings. Empty without diagnoses.
    """
    if "diagnosis" not in frame:
        return pd.DataFrame(columns=list(COLUMNS))
    if isinstance(words, pd.DataFrame):
        words = dict(zip(words["diagnosis"], words["words"], strict=True))
    diagnosis = frame["diagnosis"].astype(object).where(frame["diagnosis"].notna(), "")
    side = pd.Series("", frame.index)
    if "target" in frame:
        known = {word: read_diagnosis(word).understood for word in diagnosis.unique()}
        open_side = diagnosis.map(known).map({True: "undecided", False: "unknown"})
        side = frame["target"].map(_SIDES).astype(object).fillna(open_side)
    counts = pd.DataFrame({"diagnosis": diagnosis, "side": side}).value_counts().reset_index()
    counts = counts.rename(columns={"count": "n_rows"})
    counts["words"] = [tuple(words.get(name, ())) for name in counts["diagnosis"]]
    return counts.sort_values(
        "side", key=lambda sides: sides.map(_ORDER.index), kind="stable", ignore_index=True
    )


def list_diagnoses(diagnosis: pd.Series, words: Mapping[str, Sequence[str]] | None = None) -> str:
    """Format diagnoses with their counts, the most frequent first.

    Parameters
    ----------
    diagnosis : Series of shape (n,)
        Diagnoses.
    words : mapping of str to sequence of str, default=None
        Diagnosis -> spellings in the tables, if they are to be shown.

    Returns
    -------
    str
        For example ``"nevus (30 rows), melanoma (1 row)"``.

    Examples
    --------
    >>> list_diagnoses(pd.Series(["nevus", "melanoma", "nevus", None]))
    'nevus (2 rows), melanoma (1 row)'
    """
    parts = []
    for name, n in diagnosis.value_counts().items():
        written = [word for word in (words or {}).get(name, ()) if word.lower() != name]
        also = f", written {shorten(written)}" if written else ""
        shown = f'"{name}"' if "," in name else name
        parts.append(f"{shown} ({count_words(n, 'row')}{also})")
    return shorten(parts)


def list_unknown(frame: pd.DataFrame) -> str:
    """Format the words that leave the target missing because they are not known diagnoses.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.

    Returns
    -------
    str
        The words with their counts, formatted by `list_diagnoses`; empty if there are none.
    """
    if not {"diagnosis", "target"} <= set(frame.columns):
        return ""
    diagnosis = frame.loc[frame["target"].isna(), "diagnosis"].dropna()
    return list_diagnoses(diagnosis[~_understood(diagnosis)])


def refuse_unknown(frame: pd.DataFrame) -> None:
    """Raise an error if a target is missing because the diagnosis is not known.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.

    Raises
    ------
    TableError
        If there are such records; the diagnoses are listed with their counts.
    """
    unknown = list_unknown(frame)
    if unknown:
        quotes = " Quote words that hold a comma, as in 'other,\"wen, left\"'."
        raise TableError(
            f"unknown diagnoses: {unknown}. None of them is taken as benign. List each in `benign` "
            "or, with all other malignant ones, in `malignant`; or clear the cells to leave out "
            "the rows." + quotes * ('"' in unknown)
        )
