"""What a leak audit found, how bad it is, and how it is told and kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hybridlesion._atomic import atomic_path
from hybridlesion._formatting import count_words
from hybridlesion.exceptions import TableError

__all__ = ["Finding", "LeakAudit", "Severity", "names_of"]

_SHOWN = 6


class Severity(StrEnum):
    """How bad a finding is."""

    REFUSE = "refuse"  # measures of such a model would mean nothing
    WARN = "warn"  # they may be too good
    NOTE = "note"  # it was taken care of, or is worth knowing


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found.

    Parameters
    ----------
    kind : str
        What was looked for, in one word or two.
    severity : Severity
        How bad it is.
    words : str
        What was found, what it means and what to do, without a full stop; it names no image and no
        patient.
    columns : tuple of str, default=()
        Columns concerned.
    rows : tuple of str, default=()
        Image ids, patients or whatever names the rows concerned.

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
        named = [*self.columns, *self.rows]
        shown = ", ".join(" ".join(str(name).split()) for name in named[:_SHOWN])
        more = f" and {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else ""
        return f"{self.words} ({shown}{more})." if named else f"{self.words}."


@dataclass(frozen=True)
class LeakAudit:
    """All that the audit of a training table found.

    Parameters
    ----------
    n_rows : int
        Rows that were looked at.
    checks : tuple of str
        What was looked for, whether or not it was found.
    findings : tuple of Finding
        In the order of the checks.

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
        """Pick findings.

        Parameters
        ----------
        severity : Severity
            How bad they are.

        Returns
        -------
        tuple of Finding
            Those.
        """
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def lines(self) -> list[str]:
        """Tell the findings to people, the worst first.

        Returns
        -------
        list of str
            A headline with the counts, then a line each.
        """
        refused, warned, noted = (self.of(severity) for severity in Severity)
        counts = [f"{len(refused)} to refuse"] if refused else []
        counts += [count_words(len(warned), "warning")] if warned else []
        counts += [count_words(len(noted), "note")] if noted else []
        head = f"leak audit of {count_words(self.n_rows, 'row')} ({', '.join(self.checks)}): "
        return [
            head + (", ".join(counts) or "nothing found"),
            *(f"  {one.severity}, {one.kind}: {one}" for one in (*refused, *warned, *noted)),
        ]

    def refuse(self) -> None:
        """Raise if a finding is one to refuse.

        Raises
        ------
        TableError
            Names each of them.
        """
        refused = self.of(Severity.REFUSE)
        if refused:
            raise TableError(
                "a model of these rows would be measured on what it has seen. Repair the tables, "
                "or go on all the same with allow_leaks (--allow-leaks on the command line):",
                [f"{finding.kind}: {finding}" for finding in refused],
            )

    def facts(self) -> dict[str, object]:
        """Sum the audit up for a manifest; no image and no patient is named.

        Returns
        -------
        dict
            ``checks``, and ``findings`` with kind, severity, words, columns and number of rows.
        """
        return {
            "checks": list(self.checks),
            "findings": [
                {
                    "kind": one.kind,
                    "severity": str(one.severity),
                    "words": one.words,
                    "columns": list(one.columns),
                    "n_rows": len(one.rows),
                }
                for one in self.findings
            ],
        }

    def write(self, path: str | os.PathLike) -> None:
        """Write everything, with every row by name, as JSON.

        Parameters
        ----------
        path : str or path-like
            File to write, whole or not at all.

        Raises
        ------
        SourceError
            If it cannot be written.
        """
        whole = {"protocol": 1, "n_rows": self.n_rows, **self.facts()}
        for told, finding in zip(whole["findings"], self.findings, strict=True):
            told["rows"] = list(finding.rows)
        with atomic_path(Path(path)) as temporary:
            temporary.write_text(
                json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )


def names_of(values: Iterable[object]) -> tuple[str, ...]:
    """Turn ids into the names of a finding, each once.

    Parameters
    ----------
    values : iterable
        Ids.

    Returns
    -------
    tuple of str
        Their words, in order of first appearance.

    Examples
    --------
    >>> names_of(["b", "a", "b"])
    ('b', 'a')
    """
    return tuple(dict.fromkeys(map(str, values)))
