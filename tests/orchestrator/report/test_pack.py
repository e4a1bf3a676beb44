import base64
import json
import math
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from orchestrator.report.pack import (
    NOT_A_NUMBER,
    base64_array,
    block_means,
    plain,
    png_uri,
    quantised,
    script_json,
    shrunk,
)

ANY_FLOAT = st.floats(width=32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | ANY_FLOAT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6) | st.just(math.nan)))
def test_quantised_values_come_back_within_half_a_step(values):
    steps, low, high = quantised(values)
    back = low + steps.astype(float) * (high - low) / 65534
    finite = np.isfinite(values)
    assert (steps[~finite] == NOT_A_NUMBER).all()
    np.testing.assert_allclose(back[finite], values[finite], atol=0.51 * (high - low) / 65534 + 1e-9)


@given(JSON)
def test_script_json_means_the_same_and_closes_no_element(value):
    text = script_json(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == plain(value)


@given(JSON)
def test_plain_values_need_no_nan(value):
    json.dumps(plain(value), allow_nan=False)


def test_plain_takes_numpy_and_keeps_digits():
    given_ = {"a": np.array([1.0, np.nan]), "b": np.int64(3), "c": 1 / 3, 4: (np.float32(0.5),)}
    assert plain(given_) == {"a": [1.0, None], "b": 3, "c": 0.3333333, "4": [0.5]}


@given(st.integers(1, 60), st.integers(1, 60))
def test_block_means_keep_the_mean_of_what_is_divided_evenly(length, n):
    values = np.arange(length * 3, dtype=float).reshape(3, length)
    short = block_means(values, n)
    assert short.shape == (3, min(length, n))
    if length % n == 0:
        np.testing.assert_allclose(short.mean(axis=1), values.mean(axis=1))
    assert (np.diff(short, axis=1) > 0).all()


def test_base64_arrays_are_little_endian():
    data = base64.b64decode(base64_array(np.array([1, 258], dtype=">u2")))
    assert data == b"\x01\x00\x02\x01"


def test_a_picture_survives_as_png():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    data = base64.b64decode(png_uri(pixels).removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (7, 5, 8, 2, 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(5, 1 + 7 * 3)
    assert (rows[:, 0] == 0).all()
    np.testing.assert_array_equal(rows[:, 1:].reshape(5, 7, 3), pixels)


@pytest.mark.parametrize(("size", "expected"), [((3, 2), (2, 3, 3)), ((100, 100), (4, 6, 3))])
def test_pictures_shrink_by_means_and_never_grow(size, expected):
    pixels = np.full((4, 6, 3), 200, dtype=np.uint8)
    small = shrunk(pixels, *size)
    assert small.shape == expected
    assert (small == 200).all()
