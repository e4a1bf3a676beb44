"""Says in words, and with line and column, what pydantic found wrong with a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.fields import UNIT_MISTAKE, Surroundings, did_you_mean
from orchestrator.yaml_source import InvalidSource, Path_, Problem, Source, kind_of

M = TypeVar("M", bound=BaseModel)

Written = Mapping[Path_, str | int]
"""How a key stands in the file, by the path at which it is meant to stand."""

TAG = "\0"
"""Begins the tag of a union's member: no YAML file can hold a key that begins so."""


def validated(model: type[M], source: Source, around: Surroundings | None = None) -> M:
    """Read a source as a model.

    Raises:
        InvalidSource: Something is wrong with it; carries every mistake.
    """
    try:
        found = model.model_validate(source.data, context=around or Surroundings())
    except ValidationError as error:
        found = explained(error, model, source)
        behind = _behind_unknown_keys(error, model, source, around)
        raise InvalidSource([*source.mistakes, *_in_order([*found, *(p for p in behind if p not in found)])]) from None
    if source.mistakes:
        raise InvalidSource(list(source.mistakes))
    return found


def explained(
    error: ValidationError, model: type[BaseModel], source: Source, *, written: Written | None = None
) -> list[Problem]:
    """Return every mistake of a validation, in the order of the file.

    written: how keys that were read as others stand in the file.
    """
    errors = error.errors(include_url=False)
    found = [_explain(details, model, source, written or {}) for details in _causes(errors)]
    return _in_order(found)


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.place.line or 0, problem.place.column or 0))


def _behind_unknown_keys(
    error: ValidationError, model: type[BaseModel], source: Source, around: Surroundings | None
) -> list[Problem]:
    """Return the mistakes that show once unknown keys are read as what was meant, or left out.

    A model with an unknown key is not checked as a whole: crossed bounds would be told only after the key is mended.
    """
    unknown = [details["loc"] for details in error.errors(include_url=False) if details["type"] == "extra_forbidden"]
    if not unknown:
        return []
    data = deepcopy(source.data)
    written: dict[Path_, str | int] = {}
    for location in unknown:
        *path, key = _path(location, source.data, keeps_last=True)
        meant = _mend(_at(data, path), key, _known_keys(model, location[:-1]))
        if meant is not None:
            written[(*path, meant)] = key
    try:
        model.model_validate(data, context=around or Surroundings())
    except ValidationError as behind:
        return explained(behind, model, source, written=written)
    return []


def _at(data: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        data = data[part]
    return data


def _mend(mapping: dict[Any, Any], key: str | int, known: list[str]) -> str | None:
    """Read an unknown key as the nearest known one, and return that; without one near, leave it out."""
    value = mapping.pop(key)
    meant = get_close_matches(str(key), [name for name in known if name not in mapping], n=1)
    if not meant:
        return None
    mapping[meant[0]] = value
    return meant[0]


def _causes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out what only follows from another mistake.

    Quantities that do not fit a unit whose key is misspelt, and lists that are short because an item is wrong.
    """
    unknown = {error["loc"] for error in errors if error["type"] == "extra_forbidden"}
    without_unit = {loc[:-1] for loc in unknown if get_close_matches(str(loc[-1]), ["unit"])}
    return [
        error
        for error in errors
        if not (error["type"] == UNIT_MISTAKE and error["loc"][:-1] in without_unit)
        and not (error["type"] == "too_short" and any(_is_inside(other["loc"], error["loc"]) for other in errors))
    ]


def _is_inside(inner: tuple[str | int, ...], outer: tuple[str | int, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _explain(details: ErrorDetails, model: type[BaseModel], source: Source, written: Written) -> Problem:
    context: Mapping[str, Any] = details.get("ctx", {})
    inner = context.get("at", ())
    keeps_last = details["type"] == "missing" or bool(inner)
    path = _path((*details["loc"], *inner), source.data, keeps_last=keeps_last, written=written)
    if details["type"] == "extra_forbidden":
        known = _known_keys(model, details["loc"][:-1])
        return source.problem(path, f"unknown key{did_you_mean(str(details['loc'][-1]), known)}", of_key=True)
    if details["type"] == "missing":
        return source.problem(path, _missing(model, details["loc"]))
    of_key = bool(context.get("of_key")) or details["loc"][-1:] == ("[key]",)
    return source.problem(path, _words(details, context), of_key=of_key)


def _path(location: tuple[str | int, ...], data: Any, *, keeps_last: bool, written: Written | None = None) -> Path_:
    """Leave out what pydantic adds to a location: tags of unions, and names of validators."""
    kept: list[str | int] = []
    names = written or {}
    here = data
    for index, part in enumerate(location):
        if isinstance(part, str) and part.startswith(TAG):
            continue
        part = names.get((*kept, part), part)
        if _holds(here, part):
            here = here[part]
            kept.append(part)
        elif keeps_last and index == len(location) - 1:
            kept.append(part)
    return tuple(kept)


def _holds(here: Any, part: str | int) -> bool:
    return part in here if isinstance(here, dict) else isinstance(here, list) and part in range(len(here))


def _missing(model: type[BaseModel], location: tuple[str | int, ...]) -> str:
    for candidate in _models(model, location[:-1]):
        field = candidate.model_fields.get(str(location[-1]))
        if field is not None and field.description:
            return f"missing key: {field.description[0].lower()}{field.description[1:].rstrip('.')}"
    return "missing key"


def _known_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    return [
        field.alias or name for candidate in _models(model, location) for name, field in candidate.model_fields.items()
    ]


def _models(model: type[BaseModel], location: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """Return the models that may stand at a location."""
    here: list[tuple[str, type[BaseModel]]] = [("", model)]
    for part in location:
        tagged = [(tag, candidate) for tag, candidate in here if tag == part]
        fields = [candidate.model_fields[part] for _, candidate in here if part in candidate.model_fields]
        if tagged:
            here = [("", candidate) for _, candidate in tagged]
        elif fields:
            here = [found for field in fields for found in _members(field.annotation, "")]
    return [candidate for _, candidate in here]


def _members(annotation: Any, tag: str) -> Iterator[tuple[str, type[BaseModel]]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield tag, annotation
        return
    if get_origin(annotation) is Annotated:
        tag = next((extra.tag for extra in annotation.__metadata__ if isinstance(extra, Tag)), tag)
        yield from _members(get_args(annotation)[0], tag)
        return
    for inner in get_args(annotation):
        yield from _members(inner, tag)


def _words(details: ErrorDetails, context: Mapping[str, Any]) -> str:
    kind, value = details["type"], details["input"]
    if kind in ("mistake", UNIT_MISTAKE):
        return str(context["message"])
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, got {kind_of(value)}{_quotes(kind, value)}"
    if kind in _SENTENCES:
        return _SENTENCES[kind](context, value)
    return f"{details['msg'][0].lower()}{details['msg'][1:]}"


def _quotes(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, int | float):
        return "; put it in quotes"
    if kind in ("int_type", "bool_type") and isinstance(value, str) and re.fullmatch(r"[-+]?\d+|true|false", value):
        return "; leave out the quotes"
    return ""


_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping ('key: value' lines)",
    "model_attributes_type": "a mapping ('key: value' lines)",
    "dict_type": "a mapping ('key: value' lines)",
    "list_type": "a list",
    "tuple_type": "a list",
    "finite_number": "a finite number",
}


def _literal(context: Mapping[str, Any], value: object) -> str:
    known = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    near = hint if "did you mean" in hint else ""
    return f"must be {_either(known)}, got {kind_of(value)}{near}"


def _either(names: list[str]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


_SENTENCES: Mapping[str, Callable[[Mapping[str, Any], Any], str]] = {
    "literal_error": _literal,
    "greater_than": lambda context, value: f"must be more than {context['gt']:g}, got {value}",
    "greater_than_equal": lambda context, value: f"must be at least {context['ge']:g}, got {value}",
    "less_than": lambda context, value: f"must be less than {context['lt']:g}, got {value}",
    "less_than_equal": lambda context, value: f"must be at most {context['le']:g}, got {value}",
    "too_short": lambda context, value: f"must have at least {_items(context['min_length'])}",
    "too_long": lambda context, value: (
        f"must have at most {_items(context['max_length'])}, got {context['actual_length']}"
    ),
    "missing_argument": lambda context, value: "an item is missing",
    "string_too_short": lambda context, value: "must not be empty",
    "string_too_long": lambda context, value: f"must have at most {context['max_length']} characters",
    "int_parsing_size": lambda context, value: "is too large a number",
    "value_error": lambda context, value: str(context["error"]),
}
