"""Plain data as bytes: numbers, words, lists, dicts and numeric arrays, without pickle.

Arguments, checkpoints and results travel between processes in this form, so that a broken one is an error and never
code. A tuple comes back as a list; numpy scalars come back as Python's.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from surrogate.compute.errors import NotPlain

Plain: TypeAlias = Any
"""None, bool, int, float, str, arrays of bool, integers, floats or complex numbers, and lists and dicts of these."""

_ARRAY = "$array"
_KINDS = "biufc"
_HEAD = struct.Struct(">Q")


def packed(value: Plain) -> bytes:
    """Return plain data as bytes: the length of a JSON text, that text, and the arrays' memory one after another.

    Raises:
        NotPlain: Something in it is no plain data; the message says where.
    """
    arrays: list[NDArray[Any]] = []
    tree = _flat(value, arrays, "value")
    shapes = [(array.dtype.str, array.shape) for array in arrays]
    text = json.dumps({"tree": tree, "arrays": shapes}).encode()
    return b"".join((_HEAD.pack(len(text)), text, *(array.tobytes() for array in arrays)))


def unpacked(content: bytes) -> Plain:
    """Return what was packed.

    Raises:
        NotPlain: The bytes are not those that `packed` made.
    """
    try:
        (length,) = _HEAD.unpack_from(content)
        head = json.loads(content[_HEAD.size : _HEAD.size + length])
        arrays, start = [], _HEAD.size + length
        for dtype, shape in head["arrays"]:
            array, start = _array(content, np.dtype(dtype), tuple(shape), start)
            arrays.append(array)
        if start != len(content):
            raise ValueError(f"{len(content) - start} bytes are left over")
        return _deep(head["tree"], arrays)
    except (ValueError, KeyError, TypeError, IndexError, struct.error, RecursionError, OverflowError) as error:
        raise NotPlain(f"these bytes are no packed data: {error}") from error


def _array(content: bytes, dtype: np.dtype, shape: tuple[int, ...], start: int) -> tuple[NDArray[Any], int]:
    if dtype.kind not in _KINDS or any(n < 0 for n in shape):
        raise ValueError(f"an array of {dtype} and shape {shape}")
    end = start + math.prod(shape) * dtype.itemsize
    if end > len(content):
        raise ValueError("an array is cut off")
    return np.frombuffer(content[start:end], dtype).reshape(shape).copy(), end


def _flat(value: Plain, arrays: list[NDArray[Any]], where: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _KINDS:
            raise NotPlain(f"{where} is an array of {value.dtype}; give numbers, or a list of words")
        arrays.append(value)
        return {_ARRAY: len(arrays) - 1}
    if isinstance(value, Mapping):
        return {_key(key, where): _flat(one, arrays, f"{where}[{key!r}]") for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_flat(one, arrays, f"{where}[{n}]") for n, one in enumerate(value)]
    raise NotPlain(f"{where} is a {type(value).__name__}; give numbers, words, lists, dicts and arrays only")


def _key(key: object, where: str) -> str:
    if not isinstance(key, str) or key == _ARRAY:
        raise NotPlain(f"{where} has the key {key!r}; keys are words other than {_ARRAY!r}")
    return key


def _deep(tree: Any, arrays: list[NDArray[Any]]) -> Plain:
    if isinstance(tree, dict):
        if tree.keys() == {_ARRAY}:
            return arrays[tree[_ARRAY]]
        return {key: _deep(one, arrays) for key, one in tree.items()}
    return [_deep(one, arrays) for one in tree] if isinstance(tree, list) else tree
