"""HDF5 that came from anywhere, as groups and datasets of plain data: another process reads it (`hdf_process`).

Only what hard links inside the file lead to is there. Datasets hold numbers of at most one dimension above 1, or texts;
what is virtual, stored outside or larger than the bytes allow is refused when it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array
from surrogate.xrd.formats.hdf_process import objects_of

MAGIC = b"\x89HDF\r\n\x1a\n"
LONGEST_TEXT = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """A group with its children, which may lead back to itself."""

    name: str
    """The path by which it was found first."""
    attributes: Mapping[str, tuple[str, ...] | tuple[float, ...]]
    """Texts or numbers; empty where an attribute is neither."""
    children: dict[str, Group | Dataset] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """A dataset: numbers, texts, or neither."""

    name: str
    attributes: Mapping[str, tuple[str, ...] | tuple[float, ...]]
    shape: tuple[int, ...] = ()
    values: Array | None = None
    single: int | float | bool | None = None
    """The number of a dataset without dimensions, of the type that it was stored as."""
    texts: tuple[str, ...] = ()
    refused: str = ""
    """Why its content is not there."""


Object = Group | Dataset


def opened(data: bytes) -> Group:
    """Return the root of the file that these bytes are.

    Raises:
        NotUnderstood: They are none, or cannot be read in time and in memory.
    """
    found, numbers = objects_of(data)
    objects = [_object(each, numbers) for each in found]
    for each, described in zip(objects, found, strict=True):
        if isinstance(each, Group):
            each.children.update({name: objects[place] for name, place in described["children"].items()})
    root = objects[0]
    if not isinstance(root, Group):
        raise NotUnderstood("its root is no group")
    return root


def _object(described: Mapping[str, Any], numbers: Array) -> Object:
    name = described["path"]
    attributes = {key: tuple(values or ()) for key, values in described["attributes"].items()}
    if "children" in described:
        return Group(name=name, attributes=attributes)
    shape, at = tuple(described["shape"] or ()), described.get("at")
    values = None if at is None else numbers[at : at + math.prod(shape)].reshape(shape).copy()
    return Dataset(
        name=name,
        attributes=attributes,
        shape=shape,
        values=values,
        single=described.get("single"),
        texts=tuple(described.get("texts", ())),
        refused=described.get("refused", ""),
    )


def child(group: Object | None, path: str) -> Object | None:
    """Return what lies at a path below a group, or None where nothing does."""
    found = group
    for name in path.split("/"):
        found = found.children.get(name) if isinstance(found, Group) else None
    return found


def array(dataset: Object | None) -> Array | None:
    """Return the numbers of a dataset, or None where it holds none.

    Raises:
        NotUnderstood: It was refused, for being a table say, or larger than the file can hold.
    """
    _require(dataset)
    return dataset.values if isinstance(dataset, Dataset) else None


def text(dataset: Object | None) -> str:
    """Return the text of a dataset, empty where it is none."""
    found = texts(dataset)
    return found[0] if found else ""


def texts(dataset: Object | None) -> tuple[str, ...]:
    """Return the texts of a dataset of one or of several.

    Raises:
        NotUnderstood: They were refused.
    """
    _require(dataset)
    return dataset.texts if isinstance(dataset, Dataset) else ()


def _require(dataset: Object | None) -> None:
    if isinstance(dataset, Dataset) and dataset.refused:
        raise NotUnderstood(f"{dataset.name} {dataset.refused}")


def datasets(group: Group) -> Iterator[Dataset]:
    """Yield the datasets of a group."""
    yield from (item for item in group.children.values() if isinstance(item, Dataset))


def groups(group: Group) -> Iterator[Group]:
    """Yield the groups of a group."""
    yield from (item for item in group.children.values() if isinstance(item, Group))


def attribute(item: Object, name: str) -> str:
    """Return an attribute that is a text, else nothing."""
    found = attributes(item, name)
    return found[0] if found else ""


def attributes(item: Object, name: str) -> tuple[str, ...]:
    """Return an attribute that is a text, or several."""
    return tuple(value for value in item.attributes.get(name, ()) if isinstance(value, str))


def number_attribute(item: Object, name: str) -> float | None:
    """Return an attribute that is a number, else None."""
    return next((value for value in item.attributes.get(name, ()) if not isinstance(value, str)), None)
