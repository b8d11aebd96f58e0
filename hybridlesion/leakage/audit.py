"""Leakage audit: findings, their severity, and groups that are split across folds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion._formatting import count_words, shorten
from hybridlesion.exceptions import TableError
from hybridlesion.model_selection import parted

_SHOWN = 6


class Severity(StrEnum):
    """Severity of a finding."""

    REFUSE = "refuse"  # the metrics of such a model would be meaningless
    WARN = "warn"  # the metrics may be optimistic
    NOTE = "note"  # the issue was handled, or is useful to know


@dataclass(frozen=True)
class Finding:
    """One finding of the audit.

    Parameters
    ----------
    kind : str
        Name of the check, in one or two words.
    severity : Severity
        Severity of the finding.
    words : str
        What was found, what it means and what to do, without a full stop and without names of
        images or patients.
    columns : tuple of str, default=()
        Columns concerned.
    rows : tuple of str, default=()
        Image ids, patient ids or other names of the rows concerned.

    Examples
    --------
    >>> print(Finding("lesion", Severity.WARN, "2 lesions are in several folds", rows=("l1", "l2")))
    2 lesions are in several folds (l1, l2).
    """

    kind: str
    severity: Severity
    words: str
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = [" ".join(str(name).split()) for name in (*self.columns, *self.rows)]
        return f"{self.words} ({shorten(named, _SHOWN)})." if named else f"{self.words}."


@dataclass(frozen=True)
class LeakAudit:
    """Result of the leakage audit of a training table.

    Parameters
    ----------
    n_rows : int
        Number of rows audited.
    checks : tuple of str
        Checks that were made, whether or not they found anything.
    findings : tuple of Finding
        Findings, in the order of the checks.

    Examples
    --------
    >>> finding = Finding("patient", Severity.REFUSE, "1 patient is in several folds", rows=("P",))
    >>> print(*LeakAudit(40, ("patient",), (finding,)).lines(), sep="\\n")
    leak audit of 40 rows (patient): 1 to refuse
      refuse, patient: 1 patient is in several folds (P).
    """

    n_rows: int
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Select findings by severity.

        Parameters
        ----------
        severity : Severity
            Severity to select.

        Returns
        -------
        tuple of Finding
            Findings of that severity.
        """
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def lines(self) -> list[str]:
        """Format the findings as text, the most severe first.

        Returns
        -------
        list of str
            A headline with the counts, then one line for each finding.
        """
        refused, warned, noted = (self.of(severity) for severity in Severity)
        counts = [f"{len(refused)} to refuse"] if refused else []
        counts += [count_words(len(warned), "warning")] if warned else []
        counts += [count_words(len(noted), "note")] if noted else []
        found = ", ".join(counts) or "nothing found"
        head = (
            f"leak audit of {count_words(self.n_rows, 'row')} ({', '.join(self.checks)}): {found}"
        )
        ordered = (*refused, *warned, *noted)
        return [head, *(f"  {one.severity}, {one.kind}: {one}" for one in ordered)]

    def refuse(self) -> None:
        """Raise an error if any finding has the severity ``refuse``.

        Raises
        ------
        TableError
            If there are such findings; the message lists them.
        """
        problems = [f"{finding.kind}: {finding}" for finding in self.of(Severity.REFUSE)]
        if problems:
            message = (
                "the leakage audit failed: a model of these rows would be evaluated on information "
                "that it was fitted on. Correct the tables, or fit anyway with `allow_leaks`:"
            )
            raise TableError(message, problems)

    def facts(self) -> dict[str, object]:
        """Summarise the audit for a manifest, without names of images or patients.

        Returns
        -------
        dict
            ``checks``, and ``findings`` with kind, severity, words, columns and number of rows.
        """
        findings = [
            {"kind": one.kind, "severity": str(one.severity), "words": one.words}
            | {"columns": list(one.columns), "n_rows": len(one.rows)}
            for one in self.findings
        ]
        return {"checks": list(self.checks), "findings": findings}

    def write(self, path: str | os.PathLike) -> None:
        """Write the audit, with the names of all rows, as JSON.

        Parameters
        ----------
        path : str or path-like
            Output file, written atomically.

        Raises
        ------
        SourceError
            If it cannot be written.
        """
        whole = {"protocol": 1, "n_rows": self.n_rows, **self.facts()}
        for facts, finding in zip(whole["findings"], self.findings, strict=True):
            facts["rows"] = list(finding.rows)
        text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def names_of(values: Iterable[object]) -> tuple[str, ...]:
    """Convert ids to the names of a finding, without repeats.

    Parameters
    ----------
    values : iterable
        Ids.

    Returns
    -------
    tuple of str
        Ids as text, in order of first appearance.

    Examples
    --------
    >>> names_of(["b", "a", "b"])
    ('b', 'a')
    """
    return tuple(dict.fromkeys(map(str, values)))


# Column that groups rows -> kind of finding.
GROUP_KEYS = {
    "patient_id": "patient",
    "lesion_id": "lesion",
    "duplicate_cluster": "known duplicate",
    "near_duplicate": "near-duplicate",
}


def find_split_groups(
    table: pd.DataFrame, labels: np.ndarray, *, where: str, given: bool
) -> list[Finding]:
    """Find patients, lesions and duplicated images that are split across folds or parts.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Table with ``image_id`` and the known columns among ``patient_id, lesion_id,
        duplicate_cluster, near_duplicate``.
    labels : ndarray of shape (n, r)
        Folds or parts of each row.
    where : str
        Name of the labels in the messages: ``"folds"`` or ``"parts"``.
    given : bool
        Whether the labels were read from a file. If so, split groups are refused, except for
        near-duplicates, which need visual confirmation.

    Returns
    -------
    list of Finding
        At most one for each column.
    """
    findings = []
    for column, kind in GROUP_KEYS.items():
        if column not in table:
            continue
        apart = parted(table[column], labels)
        if not apart.any():
            continue
        values = table.loc[apart, column]
        n, verb = values.nunique(), "is" if values.nunique() == 1 else "are"
        if column in ("patient_id", "lesion_id"):
            rows = names_of(values)
            found = f"{count_words(n, kind)} {verb} in several {where}, with {apart.sum():,} images"
            cure = "make new ones" if given else "group by patient_id, which keeps them together"
        else:
            clusters = table[apart].groupby(column, sort=False)["image_id"]
            rows = names_of(" = ".join(map(str, images)) for _, images in clusters)
            what = "known copies" if column == "duplicate_cluster" else "near-duplicate images"
            found = f"{count_words(n, 'cluster')} of {what} {verb} in several {where}"
            cure = "make new ones, with one image of each cluster or whole clusters"
        refused = given and column != "near_duplicate"
        severity = Severity.REFUSE if refused else Severity.WARN
        words = f"{found}, so some scores are not of unseen lesions; {cure}"
        findings.append(Finding(kind, severity, words, rows=rows))
    return findings
