import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.model_file import WrongModelFile, sha256_of, store, stored


def test_arrays_and_words_come_back(tmp_path):
    file = tmp_path / "new" / "model.npz"
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([], dtype=np.int64)}
    store(arrays, {"name": "ε", "list": [1, None]}, file)
    found, head = stored(file)
    assert head == {"name": "ε", "list": [1, None]}
    assert all((found[name] == value).all() and found[name].dtype == value.dtype for name, value in arrays.items())
    assert sha256_of(file) == hashlib.sha256(file.read_bytes()).hexdigest()


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_broken_file_is_refused_or_holds_what_was_written(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("broken") / "model.npz"
    store({"a": np.arange(4.0)}, {"name": "one"}, file)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        found, head = stored(file)
    except WrongModelFile:
        return
    assert head == {"name": "one"} and found["a"].shape == (4,)


def test_one_bit_that_says_encrypted_or_another_compression_is_a_broken_file(tmp_path):
    file = tmp_path / "model.npz"
    store({"a": np.arange(4.0)}, {}, file)
    whole = file.read_bytes()
    central = whole.index(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):
        broken = bytearray(whole)
        broken[central + offset] = value
        file.write_bytes(broken)
        with pytest.raises(WrongModelFile, match="holds no model"):
            stored(file)


def test_a_head_that_is_no_object_is_refused(tmp_path):
    np.savez(tmp_path / "list.npz", head=np.array("[1]"))
    with pytest.raises(WrongModelFile, match="no JSON object"):
        stored(tmp_path / "list.npz")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        stored(tmp_path / "none.npz")
