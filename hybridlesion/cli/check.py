"""``hybridlesion check``: check photographs and their tables before anything is computed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion._formatting import printable, shorten
from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, argument, ending_in, option
from hybridlesion.cli._progress import show_progress

if TYPE_CHECKING:
    import pandas as pd

    from hybridlesion.batch import DataCheck

_TABLES = "CSV, Parquet or Excel in any ISIC layout; several are joined."
_OUT = "Mapping file to write, .toml; `features`, `fit` and `score` take it as --mapping."
_DECODE = "Images to decode in full, chosen at random; -1 decodes all. Headers are always read."
_MIN_WIDTH, _MAX_WIDTH, _PLAIN_WIDTH = 60, 100, 80
# Characters of a column name, and numbers of rows and names to show.
_NAME_WIDTH, _N_ROWS, _N_NAMES = 28, 6, 3
_COARSE = 96  # pixels; network lines and dots vanish in smaller photographs
_VERDICTS = ("used", "not understood", "leaks the diagnosis", "ignored")


def check(
    images: options.Images,
    tables: Annotated[list[str] | None, argument("[TABLE...]", _TABLES)] = None,
    out: Annotated[Path, option("FILE", _OUT, ending_in(".toml"))] = Path("mapping.toml"),
    path_column: options.PathColumn = None,
    root: options.Roots = None,
    id_column: options.IdColumn = None,
    target: options.Target = None,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    labels_from_folders: options.LabelsFromFolders = False,
    column: options.Columns = None,
    decode: Annotated[int, option("N", _DECODE, min=-1, group=EXPERT)] = 1000,
    jobs: options.Jobs = -1,
    as_json: options.AsJson = False,
) -> None:
    """Check images and tables before anything is computed.

    Writes a mapping file and prints the next command. Exit codes: 0 usable; 1 refused, or no usable
    image; 2 wrong usage.
    """
    columns = options.split_columns(column)

    from hybridlesion.batch import check_data
    from hybridlesion.metadata import check_mapping_path, is_edited, write_mapping

    check_mapping_path(out)
    width = min(max(output.table_width() or _PLAIN_WIDTH, _MIN_WIDTH), _MAX_WIDTH)
    keep = out.exists() and is_edited(out)
    with show_progress("opening") as progress, _explained(tables or (), width, as_json):
        found = check_data(
            images,
            tables or (),
            id_column=id_column,
            target_column=target,
            malignant=options.split_words(malignant),
            benign=options.split_words(benign),
            columns=columns,
            path_column=path_column,
            roots=root or (),
            labels_from_folders=labels_from_folders,
            n_decoded=decode,
            n_jobs=jobs,
            progress=progress,
        )
    command = _next_command(images, tables or (), out, path_column)
    if found.n_usable and not keep:
        write_mapping(out, found.mapping)
    if as_json:
        output.print_json(_json_facts(found, out, " ".join(command)))
    else:
        typer.echo(printable(output.name_options("\n".join(_lines(found, width)))))
        output.print_notes(found.notes)
    if not found.n_usable:
        output.echo_err("hybridlesion: no image can be used; see above.")
        raise typer.Exit(1)
    if keep:
        cure = "To replace it, delete it; or name another with --out."
        output.note(f"{out} was edited by hand and is kept as it is. {cure}")
    if not as_json:
        whole = " ".join(command)
        shown = whole if len(whole) <= width else " \\\n    ".join(command)
        typer.echo(f"\n{'kept' if keep else 'wrote'} {out}. Next:\n\n{shown}")


@contextmanager
def _explained(tables: Sequence[str], width: int, as_json: bool) -> Iterator[None]:
    """Show how the columns of a table were read, even if its values are refused."""
    from hybridlesion.batch import describe_columns
    from hybridlesion.exceptions import TableError

    try:
        yield
    except TableError as error:
        if error.uses and not as_json:
            sections = _column_sections(describe_columns(error.uses, tables), width)
            typer.echo(printable("\n".join(_format_sections(sections, width))))
        raise


def _next_command(
    images: str, tables: Sequence[str], out: Path, path_column: str | None
) -> list[str]:
    """Write the command that measures the same data, one part for each option."""
    parts = [("hybridlesion", "features", images), *(("--metadata", one) for one in tables)]
    parts += [("--path-column", path_column)] if path_column else []
    parts += [("--mapping", str(out)), ("--out", "features.parquet")]
    return list(map(shlex.join, parts))


def _lines(found: DataCheck, width: int) -> list[str]:
    sections = _column_sections(found.columns, width)
    sections["Photographs"] = _format_photographs(found)
    sections["Labels"] = _format_labels(found, width - 2)
    sections["Patients and lesions"] = _format_groups(found.records)
    return _format_sections(sections, width)


def _column_sections(columns: pd.DataFrame, width: int) -> dict[str, list[str]]:
    return {
        f"Columns of {table}": _format_columns(uses, width - 2)
        for table, uses in columns.groupby("table", sort=False)
    }


def _format_sections(sections: Mapping[str, Sequence[str]], width: int) -> list[str]:
    lines: list[str] = []
    for title, section in sections.items():
        lines += ["", title] if lines else [title]
        for line in "\n".join(section).splitlines():
            indents = {"initial_indent": "  ", "subsequent_indent": " " * 6}
            lines += wrap(line, width, **indents, **output.WHOLE_WORDS)
    return lines


def _format_columns(uses: pd.DataFrame, width: int) -> list[str]:
    rows, more = [], []
    for verdict in _VERDICTS:
        alike = uses[uses["verdict"] == verdict]
        shown = len(alike) if verdict == "used" else _N_ROWS
        rows += [
            (_cut(use.column, _NAME_WIDTH), use.field or "-", use.examples, verdict)
            for use in alike.head(shown).itertuples()
        ]
        if left_out := list(alike["column"][shown:]):
            more.append(f"{len(left_out):,} more {verdict}: {', '.join(left_out)}")
    head = ("your column", "our field", "examples", "verdict")
    lengths = (max(len(row[place]) for row in (head, *rows)) + 2 for place in (0, 1, 3))
    left = width - sum(lengths)
    rows = [(name, field, _fit(values, left), verdict) for name, field, values, verdict in rows]
    table = output.align([head, *rows])
    explained = uses[uses["reason"] != ""].groupby("reason", sort=False)["column"]
    reasons = [f"{', '.join(names)}: {reason}" for reason, names in explained]
    return [table, *more, *reasons]


def _format_photographs(found: DataCheck) -> list[str]:
    from hybridlesion._formatting import count_words

    images, unmatched = found.images, found.unmatched
    lines = []
    if len(found.columns):
        lines.append(f"{len(images):,} of {found.n_images:,} have a row in the table")
    for missing, what in (("row", "photograph"), ("photograph", "row")):
        names = list(unmatched.loc[unmatched["missing"] == missing, "image_id"])
        if names:
            count = f"{count_words(len(names), what)} without a {missing}"
            lines.append(f"{count}: {shorten(names, _N_NAMES)}")
    near = unmatched[(unmatched["missing"] == "photograph") & (unmatched["near"] != "")]
    for without, pairs in near.groupby("without", sort=False):
        examples = shorten(
            (f"{one.image_id} and {one.near}" for one in pairs.itertuples()), _N_NAMES
        )
        lines.append(f"perhaps the same, ignoring {without}: {examples}")
    if images.empty:
        return lines
    n_decoded, failed = int(images["decoded"].sum()), images[images["problem"] != ""]
    part = "all" if n_decoded == len(images) else f"{n_decoded:,} at random"
    lines.append(f"{len(images):,} opened, {part} decoded in full; {len(failed):,} cannot be used")
    lines += [f"{one.image_id}: {one.problem}" for one in failed.head(_N_ROWS).itertuples()]
    lines += [f"and {len(failed) - _N_ROWS:,} more"] if len(failed) > _N_ROWS else []
    sizes = images.dropna(subset="width")
    if len(sizes):
        order = (sizes["width"] * sizes["height"]).to_numpy().argsort(kind="stable")
        small, large = (
            f"{sizes['width'].iloc[place]:.0f} x {sizes['height'].iloc[place]:.0f}"
            for place in order[[0, -1]]
        )
        lines.append(f"size: {small if small == large else f'{small} to {large}'} pixels")
        coarse = int((sizes[["width", "height"]].min(axis=1) < _COARSE).sum())
        if coarse:
            lines.append(
                f"{coarse:,} with a side below {_COARSE} pixels: too coarse for dermoscopic "
                "structures, so that features and scores are unreliable"
            )
    alike = [" = ".join(ids) for _, ids in images.groupby("near_duplicate")["image_id"]]
    shown = f"{count_words(len(alike), 'group')}, {shorten(alike, _N_NAMES)}" if alike else "none"
    return [*lines, f"near-duplicates among those decoded: {shown}"]


def _format_labels(found: DataCheck, width: int) -> list[str]:
    if found.labels.empty:
        return ["none, so no model can be fitted"]
    named = found.labels["diagnosis"].any()
    lines = [output.format_diagnoses(found.labels, width)] if named else []
    counts = [f"{n:,} {what}" for what, n in found.label_counts.items()]
    return [*lines, ", ".join(counts)]


def _format_groups(records: pd.DataFrame) -> list[str]:
    from hybridlesion._formatting import count_words

    lines = []
    for name, noun in (("patient_id", "patient"), ("lesion_id", "lesion")):
        if name not in records or records[name].isna().all():
            lines.append(f"{noun}s: not in the table")
            continue
        sizes, unknown = records[name].value_counts(), int(records[name].isna().sum())
        most = "one image each" if sizes.max() == 1 else f"up to {sizes.max():,} images each"
        lines.append(f"{count_words(len(sizes), noun)}, {most}")
        lines += [f"{count_words(unknown, 'image')} without a {noun}"] if unknown else []
    return lines


def _fit(values: Sequence[str], width: int) -> str:
    """Join as many values as fit, at least a part of the first."""
    joined = [", ".join(values[:n]) for n in range(len(values), 0, -1)]
    return next((text for text in joined if len(text) <= width), _cut("".join(values[:1]), width))


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: max(width - 3, 1)]}..."


def _json_facts(found: DataCheck, out: Path, command: str) -> dict[str, object]:
    usable, facts = found.n_usable > 0, found.to_dict()
    facts["notes"] = [output.name_options(note) for note in found.notes]
    return {"path": out if usable else None, **facts, "next": command if usable else None}
