"""Public docstrings name every parameter, with the defaults of the signature."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
from enum import Enum

import pytest
from numpydoc.docscrape import FunctionDoc

import hybridlesion


def _public_callables():
    found = {}
    for module in pkgutil.walk_packages(hybridlesion.__path__, "hybridlesion."):
        parts = module.name.split(".")
        if parts[-1] == "__main__" or "cli" in parts:
            continue
        loaded = importlib.import_module(module.name)
        defined = [
            name
            for name, thing in vars(loaded).items()
            if not name.startswith("_") and getattr(thing, "__module__", "") == loaded.__name__
        ]
        for name in getattr(loaded, "__all__", defined):
            thing = getattr(loaded, name)
            if not callable(thing) or not getattr(thing, "__module__", "").startswith(
                "hybridlesion"
            ):
                continue
            found[f"{thing.__module__}.{name}"] = thing
            if inspect.isclass(thing):
                found |= {
                    f"{thing.__module__}.{name}.{key}": method
                    for key, method in vars(thing).items()
                    if inspect.isfunction(method) and not key.startswith("_")
                }
    return found


CALLABLES = _public_callables()


def _documented(thing):
    doc = FunctionDoc(thing, inspect.getdoc(thing) or "")
    return {
        name.strip().lstrip("*"): parameter.type
        for parameter in doc["Parameters"]
        for name in parameter.name.split(",")
    }


@pytest.mark.parametrize("name", sorted(CALLABLES))
def test_docstring_agrees_with_the_signature(name):
    thing = CALLABLES[name]
    if inspect.isclass(thing) and issubclass(thing, (Exception, str, Enum)):
        return
    assert inspect.getdoc(thing), f"{name} has no docstring"
    signature = {
        key: parameter
        for key, parameter in inspect.signature(thing).parameters.items()
        if key not in ("self", "cls")
    }
    documented = _documented(thing)
    assert list(documented) == list(signature)
    for key, parameter in signature.items():
        if parameter.default is inspect.Parameter.empty or not parameter.kind:
            continue
        if "default=" in documented[key]:
            text = documented[key].split("default=")[1].strip()
            try:
                stated = ast.literal_eval(text)
            except (ValueError, SyntaxError):  # a named constant of the module, or an expression
                stated = vars(sys.modules[inspect.unwrap(thing).__module__]).get(text, text)
                assert stated == parameter.default or text == repr(parameter.default)
                continue
            assert stated == parameter.default, f"{name}: {key}"
        else:
            assert "optional" in documented[key], f"{name}: default of {key} is not documented"


def test_there_are_public_callables():
    assert len(CALLABLES) > 30
