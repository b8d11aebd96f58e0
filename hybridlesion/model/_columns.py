"""Selection and encoding of the feature columns of a table."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridlesion._formatting import shorten
from hybridlesion.exceptions import TableError
from hybridlesion.model.context import context_columns, has_company, patient_context

FAMILIES = ("abcd__", "perceived__", "emb__", "cnn__", "meta__", "ctx__")

# Share of rows with another lesion of their patient from which context is used.
_ENOUGH_COMPANY = 0.5

# Kinds of context that improved scores in `benchmarks/stacking.py`.
CONTEXT_OF_MODEL = ("others", "excess", "z")

# Columns written into the matrix together, which is faster than one by one.
_COLUMNS_AT_ONCE = 32

_NUMBER = re.compile(r"[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_MOST_CODES = 20

# Columns of a table of records, which cannot be fitted without a feature family.
_RECORD_COLUMNS = frozenset({"image_id", "path", "patient_id", "lesion_id", "target"})


def is_feature_table(X: object) -> bool:
    """Whether `X` is a feature table of this package.

    Parameters
    ----------
    X : object
        Argument of ``fit`` or ``predict``.

    Returns
    -------
    bool
        True for a DataFrame with a column of a feature family or of a record.

    Examples
    --------
    >>> is_feature_table(pd.DataFrame({"meta__age": [50.0]})), is_feature_table([[50.0]])
    (True, False)
    """
    if not isinstance(X, pd.DataFrame):
        return False
    names = [name for name in X.columns if isinstance(name, str)]
    return any(name.startswith(FAMILIES) or name in _RECORD_COLUMNS for name in names)


# Scores of a network for any malignancy and for melanoma.
CNN_SCORES = ("cnn__score", "cnn__melanoma")


def leading_score(names: Sequence[str], leading: str = CNN_SCORES[1]) -> str | None:
    """Return the score of a network that stands for malignancy.

    Parameters
    ----------
    names : sequence of str
        Feature columns.
    leading : {"cnn__melanoma", "cnn__score"}, default="cnn__melanoma"
        The score that is preferred.

    Returns
    -------
    str or None
        `leading`, or the other one if it is the only one; None without either.

    Examples
    --------
    >>> leading_score(["meta__age", "cnn__score", "cnn__melanoma"])
    'cnn__melanoma'
    >>> leading_score(["meta__age", "cnn__score"])
    'cnn__score'
    """
    found = [name for name in (leading, *CNN_SCORES) if name in names]
    return found[0] if found else None


def secondary_scores(names: Sequence[str], leading: str) -> set[str]:
    """Return the columns of a network that do not stand for malignancy.

    Parameters
    ----------
    names : sequence of str
        Feature columns.
    leading : {"cnn__melanoma", "cnn__score"}
        The score that is preferred.

    Returns
    -------
    set of str
        The score that does not lead, and the probabilities of single diagnoses.

    Examples
    --------
    >>> sorted(secondary_scores(["cnn__score", "cnn__melanoma", "cnn__p_nv"], "cnn__melanoma"))
    ['cnn__p_nv', 'cnn__score']
    """
    others = {*CNN_SCORES} - {leading_score(names, leading)}
    return {name for name in names if name in others or name.startswith("cnn__p_")}


class ColumnEncoder:
    """Encode the feature columns of a table as a float32 matrix.

    Numbers and booleans pass as they are. A column of text or categories becomes one 0/1 column
    per category seen in training; an unseen category is 0 in all of them, a missing value NaN.

    Parameters
    ----------
    context : {"auto", "none"}, default="none"
        Whether to add the context of the patient's other lesions, where half of the rows have any.
    leading : {"cnn__melanoma", "cnn__score"}, default="cnn__melanoma"
        Score of a network that is compared with those of the patient's other lesions, if there are
        both.

    Attributes
    ----------
    given_ : list of str
        Feature columns that the table must have.
    compared_ : list of str
        Those of them whose context is added; empty without context.
    names_ : list of str
        All columns, those of the context last.
    encoded_names_ : list of str
        Columns of the matrix.
    sources_ : list of int
        Position in `names_` of each of them.
    """

    def __init__(self, context: str = "none", leading: str = CNN_SCORES[1]):
        self.context = context
        self.leading = leading

    def fit(self, table: pd.DataFrame) -> ColumnEncoder:
        """Learn the columns and their categories.

        Parameters
        ----------
        table : DataFrame of shape (n, columns)
            Feature table.

        Returns
        -------
        ColumnEncoder
            Itself.

        Raises
        ------
        TableError
            If no column belongs to a feature family, one occurs twice, or holds numbers as text.
        """
        names = [name for name in table.columns if str(name).startswith(FAMILIES)]
        if not names:
            raise TableError(
                f"none of the {table.shape[1]} columns starts with {', '.join(FAMILIES)}. Measure "
                "features first, with LesionFeaturizer or 'hybridlesion features'."
            )
        _refuse_repeated(names)
        if "cnn__melanoma" in names:
            names = [name for name in names if name != "cnn__p_mel"]  # the same values
        self.given_ = names
        texts = {name: table[name].dropna() for name in names if not _is_number(table[name])}
        self.categories_ = {
            name: sorted(set(map(str, text.unique()))) for name, text in texts.items()
        }
        for name, words in self.categories_.items():
            _refuse_numbers(name, words)
        self.compared_ = []
        if self.context != "none" and has_company(table).mean() >= _ENOUGH_COMPANY:
            compared = context_columns(table[names])
            left_out = secondary_scores(names, self.leading) | {*self.categories_}
            self.compared_ = [name for name in compared if name not in left_out]
        context = self._context(table.head(0))
        self.names_ = names + [name for name in context if name not in names]
        self.sources_, self.encoded_names_ = [], []
        for position, name in enumerate(self.names_):
            words = self.categories_.get(name)
            encoded = [name] if words is None else [f"{name}={word}" for word in words]
            self.encoded_names_ += encoded
            self.sources_ += [position] * len(encoded)
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Encode a table with the columns learned.

        Parameters
        ----------
        table : DataFrame of shape (n, columns)
            Feature table; columns may be in any order, and further columns are ignored.

        Returns
        -------
        ndarray of shape (n, encoded columns), float32
            Numbers, NaN where missing.

        Raises
        ------
        TableError
            If columns are missing, occur twice, hold text where numbers were trained, or hold
            infinite values.

        Warns
        -----
        UserWarning
            If a text column has a value that did not occur in training.
        """
        _refuse_repeated(table.columns[table.columns.isin(self.given_)])
        missing = [name for name in self.given_ if name not in table.columns]
        if missing:
            raise TableError(
                f"{len(missing)} of the {len(self.given_)} columns that the model was trained on "
                f"are missing: {shorten(missing)}. Use the featurizer of the training table."
            )
        encoded = np.empty((len(table), len(self.encoded_names_)), dtype=np.float32)
        context = self._context(table)
        position, waiting = 0, []
        for name in self.names_:
            waiting.append(self._encode(table[name] if name in table else context[name]))
            if len(waiting) == _COLUMNS_AT_ONCE or name == self.names_[-1]:
                block = np.hstack(waiting)
                encoded[:, position : position + block.shape[1]] = block
                position, waiting = position + block.shape[1], []
        infinite = np.isinf(encoded).any(axis=0)
        if infinite.any():
            names = [self.names_[self.sources_[k]] for k in np.flatnonzero(infinite)]
            found = f"{len(names)} columns hold infinite values: {shorten(names)}"
            raise TableError(f"{found}. Write missing values as NaN.")
        return encoded

    def _context(self, table: pd.DataFrame) -> pd.DataFrame:
        """Patient context of the rows; NaN if no patient is known."""
        if not self.compared_:
            return pd.DataFrame(index=table.index)
        if "patient_id" not in table:
            table = table.assign(patient_id=None)
        wanted = [name for name in ("patient_id", "lesion_id") if name in table]
        wanted += self.compared_ + [name for name in self.given_ if name.startswith("emb__")]
        return patient_context(table[wanted], self.compared_, CONTEXT_OF_MODEL)

    def _encode(self, column: pd.Series) -> np.ndarray:
        values = self.categories_.get(column.name)
        if values is None:
            try:
                return pd.to_numeric(column).to_numpy(np.float32, na_value=np.nan)[:, None]
            except (TypeError, ValueError) as error:
                found = f"column {column.name!r} had numbers in training and has text now"
                raise TableError(f"{found} ({error}).") from error
        text = column.astype(object)
        known = text.notna().to_numpy()
        text = text.where(known, "").astype(str).to_numpy()
        _tell_new(column.name, text[known], values)
        return np.where(known[:, None], text[:, None] == np.array(values, dtype=object), np.nan)


def _is_number(column: pd.Series) -> bool:
    types = pd.api.types
    # The type of a column without values is unknown; as numbers it is one constant column.
    return types.is_numeric_dtype(column) or types.is_bool_dtype(column) or column.isna().all()


def _tell_new(name: str, words: np.ndarray, known: Sequence[str]) -> None:
    """Warn about texts that did not occur in training."""
    new = ~np.isin(words.astype(str), np.array(known, dtype=str))
    if new.any():
        warnings.warn(
            f"column {name!r} has {new.sum()} values that were not in training: "
            f"{shorten(np.unique(words[new]))}. They count as none of {shorten(known)}.",
            stacklevel=6,
        )


def _refuse_numbers(name: str, words: Sequence[str]) -> None:
    """Refuse a column of measurements that one cell, or a decimal comma, turned into text."""
    numbers = [word for word in words if _NUMBER.fullmatch(word.strip())]
    # A few whole numbers, such as skin types 1 to 6, may well be the names of categories.
    codes = len(words) <= _MOST_CODES and all(word.strip().isdigit() for word in numbers)
    if numbers and not codes and 2 * len(numbers) >= len(words):
        others = [word for word in words if word not in numbers]
        examples = ", and ".join(map(repr, numbers[:1] + others[:1]))
        raise TableError(
            f"column {name!r} has numbers as text, such as {examples}. Write numbers with a "
            "decimal point, and missing values as NaN."
        )


def _refuse_repeated(names: Sequence[str] | pd.Index) -> None:
    index = pd.Index(names)
    if index.has_duplicates:
        repeated = shorten(index[index.duplicated()])
        raise TableError(f"column names must be unique, repeated: {repeated}.")
