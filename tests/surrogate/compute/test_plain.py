import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from surrogate.compute.errors import NotPlain
from surrogate.compute.plain import packed, unpacked

arrays = st.sampled_from(
    [np.float64, np.float32, np.int64, np.uint8, np.bool_, np.complex128, np.dtype(">f4")]
).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)))
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), arrays)
trees = st.recursive(
    leaves,
    lambda more: st.one_of(st.lists(more, max_size=3), st.dictionaries(st.text(), more, max_size=3)),
    max_leaves=8,
)


def same(left, right):
    if isinstance(left, np.ndarray):
        return (left.dtype, left.shape) == (right.dtype, right.shape) and left.tobytes() == right.tobytes()
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and (left == right or left != left)


@given(trees)
def test_what_was_packed_comes_back(tree):
    assert same(tree, unpacked(packed(tree)))


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(content):
    with pytest.raises(NotPlain, match="no packed data"):
        unpacked(content)


@given(trees, st.data())
def test_half_of_it_is_refused(tree, data):
    whole = packed(tree)
    with pytest.raises(NotPlain):
        unpacked(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_arrays_need_not_be_contiguous_and_may_be_written_to():
    back = unpacked(packed({"a": np.arange(12).reshape(3, 4)[:, ::2], "t": (1, np.float32(0.5))}))
    back["a"][0, 0] = 9
    assert back["a"].tolist() == [[9, 2], [4, 6], [8, 10]] and back["t"] == [1, 0.5]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"x": [1, {2}]}, r"value\['x'\]\[1\] is a set"),
        ({1: 2}, "the key 1"),
        ({"$array": 0}, "array"),
        (np.array([None]), "array of object"),
        (np.array(["a"]), "list of words"),
        (b"raw", "bytes"),
    ],
)
def test_what_is_not_plain_is_named(value, words):
    with pytest.raises(NotPlain, match=words):
        packed(value)


@pytest.mark.parametrize("dtype", ["|O", "<U4", "|V8", "<M8[s]"])
def test_no_objects_are_made_of_bytes(dtype):
    text = json.dumps({"tree": {"$array": 0}, "arrays": [[dtype, [1]]]}).encode()
    with pytest.raises(NotPlain):
        unpacked(len(text).to_bytes(8, "big") + text + bytes(16))
