"""What is wrong with some settings, in one sentence: the key's path, the file, and the key that was probably meant."""

from __future__ import annotations

import difflib
import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

MOST_SHOWN = 40
"""Characters of an offending value that are shown."""


def explain(error: ValidationError, source: str, model: type[BaseModel]) -> str:
    """A sentence on the first problem, and how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    loc = tuple(part for part in first["loc"] if part != "__root__")
    said = f"{source}: {dotted(loc)}{_problem(first, loc, model)}"
    more = len(problems) - 1
    return f"{said} (and {more} more)." if more else f"{said}."


def dotted(loc: tuple[int | str, ...]) -> str:
    """`collect.rooms.0: `, or nothing for the whole."""
    return ".".join(str(part) for part in loc) + ": " if loc else ""


def nearest(word: str, known: list[str], deeper: list[str]) -> str:
    """`; did you mean x?` from the keys of the same level, then from those below it, else all that is known."""
    for keys in (known, deeper):
        plain = {key.replace(".", "_"): key for key in keys}
        if close := difflib.get_close_matches(word.replace(".", "_"), plain, n=1, cutoff=0.7):
            return f"; did you mean {plain[close[0]]}?"
    return f"; known are {', '.join(sorted(known))}"


def _problem(problem: Any, loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    if problem["type"] == "extra_forbidden":
        known = keys_at(model, loc[:-1])
        deeper = [f"{outer}.{inner}" for outer in known for inner in keys_at(model, (*loc[:-1], outer))]
        return f"there is no such key{nearest(str(loc[-1]), known, deeper)}".removesuffix("?")
    if problem["type"] == "missing":
        return "this key is missing"
    message = str(problem["msg"]).removeprefix("Value error, ").removesuffix(".")
    message = message.replace("Input should be", "should be")
    shown = repr(problem["input"])
    return f"{message}, not {shown}" if len(shown) <= MOST_SHOWN else message


def keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at a path."""
    found: list[Any] = [model]
    for part in loc:
        found = [inner for outer in found for inner in _within(outer, part)]
    return [name for m in found for name in m.model_fields]


def _within(model: type[BaseModel], part: int | str) -> list[type[BaseModel]]:
    field = model.model_fields.get(str(part))
    return _models(field.annotation) if field else [model]


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation names, within unions, tuples, lists and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, Annotated, tuple, list, dict):
        return [model for inner in get_args(annotation) for model in _models(inner)]
    return []
