"""The API reference from the docstrings: ``python docs/generate_api.py`` writes docs/api*.

``docs/api.md`` holds the names of `hybridlesion` in full and an index of all others, whose pages,
one a package, lie in ``docs/api/``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path

from numpydoc.docscrape import ClassDoc, FunctionDoc, NumpyDocString

import hybridlesion
from hybridlesion import _HOMES as MAIN

FOLDER = Path(__file__).parent
NOT_FOR_IMPORT = ("hybridlesion.cli", "hybridlesion.reporting.html")
"""Packages whose names are for the command line, or stand in the package above."""

ABOUT = """# API

Generated from the docstrings by `python docs/generate_api.py`; do not edit.

Names of `hybridlesion` come first, in full. Below is everything else that is public, by package.
Images are uint8 RGB arrays of shape (H, W, 3), masks bool arrays of shape (H, W). Every error
that is raised on purpose is a `HybridLesionError`, and also the builtin that fits.
"""


def pages() -> dict[str, str]:
    """Write the reference.

    Returns
    -------
    dict of str to str
        Text by file name below ``docs/``.
    """
    packages = {name: importlib.import_module(name) for name in _package_names()}
    index = [ABOUT, "## hybridlesion", ""]
    for name in sorted(MAIN, key=str.lower):
        home = MAIN[name].removeprefix("hybridlesion.")
        index += _entry(name, getattr(hybridlesion, name), note=f"Also in `hybridlesion.{home}`.")
    texts = {}
    for package, module in packages.items():
        short = package.removeprefix("hybridlesion.")
        about = NumpyDocString(inspect.getdoc(module))
        index += [f"## {package}", "", _text(about["Summary"]), ""]
        index += ["| name | what it is |", "|---|---|"]
        page = [f"# {package}", "", _text(about["Summary"]), "", _text(about["Extended Summary"])]
        page += ["", "Back to [all names](../api.md).", ""]
        for name in sorted(module.__all__, key=str.lower):
            thing = getattr(module, name)
            link = f"#{name.lower()}"
            if MAIN.get(name) == package:
                page += [f"## {name}", "", f"See [`hybridlesion.{name}`](../api.md{link}).", ""]
            else:
                page += _entry(name, thing, level=2)
                link = f"api/{short}.md{link}"
            index.append(f"| [`{name}`]({link}) | {_first(thing)} |")
        index.append("")
        texts[f"api/{short}.md"] = _joined(page)
    return {"api.md": _joined(index)} | texts


def _package_names() -> list[str]:
    names = []
    for found in pkgutil.walk_packages(hybridlesion.__path__, "hybridlesion."):
        inner = found.name.split(".")[1:]
        hidden = any(part.startswith("_") for part in inner)
        if hidden or found.name.startswith(NOT_FOR_IMPORT) or not (found.ispkg or len(inner) == 1):
            continue
        if getattr(importlib.import_module(found.name), "__all__", None):
            names.append(found.name)
    return names


def _entry(name: str, thing: object, *, level: int = 3, note: str = "") -> list[str]:
    """Write one public name: signature, what it does, what goes in, comes out and goes wrong."""
    lines = [f"{'#' * level} {name}", ""]
    if not callable(thing) or not inspect.getdoc(thing):
        return [*lines, f"`{_value(thing, 300)}`", ""]
    is_class = inspect.isclass(thing)
    doc = ClassDoc(thing, config={"show_class_members": False}) if is_class else FunctionDoc(thing)
    call = _call(name, thing, doc["Parameters"])
    if is_class and issubclass(thing, Enum):
        lines += [f"`{_value(list(thing), 300)}`", ""]
    elif not is_class or doc["Parameters"]:
        lines += ["```text", *call, "```", ""]
    lines += [_text(doc["Summary"]), ""]
    lines += [_text(doc["Extended Summary"]), "", note, ""]
    for title in ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns"):
        lines += _bullets(title, doc[title])
    if is_class:
        lines += _methods(thing)
    if doc["Examples"]:
        lines += ["```pycon", *"\n".join(doc["Examples"]).strip().splitlines(), "```", ""]
    return lines


def _bullets(title: str, items: list) -> list[str]:
    rows = [f"- {_named(item)}: {_text(item.desc)}" for item in items]
    return [f"{title}:", "", *rows, ""] if rows else []


def _named(item: object) -> str:
    if not item.name:
        return f"`{item.type}`"
    return f"`{item.name}` ({item.type})" if item.type else f"`{item.name}`"


def _methods(thing: type) -> list[str]:
    rows = [
        f"- `{''.join(_call(name, method, ()))}`: {_first(method)}"
        for name, method in inspect.getmembers(thing, inspect.isfunction)
        if not name.startswith("_") and (method.__module__ or "").startswith("hybridlesion")
    ]
    return ["Methods:", "", *rows, ""] if rows else []


def _call(name: str, thing: object, documented: list) -> list[str]:
    """Show how a thing is called; the kinds of its parameters stand below."""
    words = {item.name: item.type.partition("default=")[2] for item in documented}
    try:
        parameters = list(inspect.signature(thing).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    shown = []
    for parameter in parameters:
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not {"*", "**"} & set(shown):
            shown.append("*")
        default = parameter.default
        text = str(parameter.replace(annotation=parameter.empty, default=parameter.empty))
        if default is not parameter.empty:
            given = repr(default)
            text += "=" + (given if given[0] != "<" and len(given) < 40 else words[text] or "...")
        shown.append(text)
    call = f"{name}({', '.join(shown)})"
    if len(call) <= 96 or not documented:
        return [call]
    return [f"{name}(", *(f"    {one}," for one in shown), ")"]


def _first(thing: object) -> str:
    if not callable(thing):
        return f"`{_value(thing, 60)}`".replace("|", "\\|")
    doc = inspect.getdoc(thing) or ""
    return _text(NumpyDocString(doc)["Summary"]).replace("|", "\\|")


def _value(thing: object, most: int) -> str:
    """Show a constant; of a mapping its keys, of a file its name."""
    if isinstance(thing, Path):
        return thing.name
    sized = isinstance(thing, (Mapping, list, tuple, set, frozenset))
    if sized:
        names = [one if isinstance(one, str) else getattr(one, "name", str(one)) for one in thing]
    else:
        names = [f"{type(thing).__name__}(...)" if is_dataclass(thing) else repr(thing)]
    text = ", ".join(sorted(names) if isinstance(thing, (set, frozenset)) else names)
    return text if len(text) <= most else f"{text[: most - 4].rpartition(', ')[0]}, ..."


def _text(lines: list[str]) -> str:
    """Join lines to one paragraph each; double backticks become single ones."""
    paragraphs = "\n".join(line.strip() for line in lines).split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs).replace("``", "`")


def _joined(lines: list[str]) -> str:
    """One text without doubled empty lines."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _main() -> Iterator[str]:
    for name, text in pages().items():
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        yield name


if __name__ == "__main__":
    sys.stdout.write("\n".join(_main()) + "\n")
