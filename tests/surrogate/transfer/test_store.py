import json

import numpy as np
import pytest

from surrogate.model_file import WrongModelFile, store, stored
from surrogate.transfer.mixture import Mixture
from surrogate.transfer.sources import prepare
from surrogate.transfer.store import load, save
from tests.surrogate.transfer.worlds import bump, source_of

TEST = np.random.default_rng(0).random((20, 2))


def made(noise=None):
    sources, _ = prepare([source_of(bump, name="first"), source_of(bump, name="second", seed=1)], d=2)
    X = np.random.default_rng(2).random((6, 2))
    return Mixture(sources, X, bump(X), noise)


@pytest.mark.parametrize("noise", [None, np.full(6, 0.1)])
def test_what_was_saved_predicts_the_same_to_the_last_digit(tmp_path, noise):
    before = made(noise)
    save(before, tmp_path / "target.npz")
    after = load(tmp_path / "target.npz")
    assert [one.name for one in after.sources] == ["first", "second"]
    assert (after.predict(TEST).mean == before.predict(TEST).mean).all()
    assert (after.predict(TEST, noise=True).sd == before.predict(TEST, noise=True).sd).all()
    assert [file.name for file in tmp_path.iterdir()] == ["target.npz"]


def test_half_a_file_is_refused(tmp_path):
    file = tmp_path / "target.npz"
    save(made(), file)
    whole = file.read_bytes()
    for n in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:n])
        with pytest.raises(WrongModelFile, match="target.npz"):
            load(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"format": "a network"}, "no mixture"), ({"version": 2}, "version 2"), ({"sources": [{}]}, "no whole mixture")],
)
def test_other_files_are_refused(tmp_path, change, words):
    file = tmp_path / "target.npz"
    save(made(), file)
    arrays, head = stored(file)
    store(arrays, head | change, file)
    with pytest.raises(WrongModelFile, match=words):
        load(file)


def test_a_file_without_its_values_is_refused(tmp_path):
    file = tmp_path / "target.npz"
    save(made(), file)
    arrays, head = stored(file)
    del arrays["source1_y"]
    store(arrays, head, file)
    with pytest.raises(WrongModelFile, match="source1_y"):
        load(file)


@pytest.mark.parametrize("bad", [np.array([np.nan, 1.0]), np.array([1.0]), np.array([[1.0]])])
def test_a_file_whose_numbers_are_no_model_is_refused(tmp_path, bad):
    file = tmp_path / "target.npz"
    save(made(), file)
    arrays, head = stored(file)
    for name, value in (("source0_lengths", bad), ("y", bad)):
        if name == "source0_lengths" and bad.shape == (1,):
            continue  # one length for all inputs is a kernel too
        store(arrays | {name: value}, head, file)
        with pytest.raises(WrongModelFile, match="no whole mixture"):
            load(file)


def test_no_pickle_is_read(tmp_path):
    file = tmp_path / "target.npz"
    np.savez(file, head=np.array(json.dumps({})), X=np.array([{"a": 1}], dtype=object))
    with pytest.raises(WrongModelFile):
        load(file)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
