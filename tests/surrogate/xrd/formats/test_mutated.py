"""Broken files of every format end in a refusal, soon and in little memory, whatever was broken."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.formats.errors import FormatError
from surrogate.xrd.formats import hdf_process

NAMES = ("xrdml", "brml", "bruker_raw_2", "bruker_raw_1.01", "bruker_raw_4.00", "ras", "rasx", "nexus")
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=0, max_size=8)), min_size=1, max_size=4)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Let the process that reads HDF5 be ended soon."""
    monkeypatch.setattr(hdf_process, "LONGEST_S", 3.0)


def changed(data: bytes, changes, cut: float) -> bytes:
    out = bytearray(data)
    for place, piece in changes:
        at = int(place * len(out))
        out[at : at + len(piece)] = piece
    return bytes(out[: int(cut * len(out))]) if cut < 0.9 else bytes(out)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_refused_or_read_whole(seeds, open_file, name):
    data = seeds.SEEDS[name]()
    open_file(data)

    @settings(max_examples=40)
    @given(CHANGES, st.floats(0, 1.5))
    def attempt(changes, cut):
        try:
            file = open_file(changed(data, changes, cut))
        except FormatError as error:
            assert len(str(error)) < 1000
        else:
            assert all(scan.values.shape == scan.axis.values.shape for scan in file.scans)

    attempt()


@pytest.mark.parametrize("name", ["xrdml", "brml", "bruker_raw_1.01", "ras", "rasx"])
def test_a_broken_file_takes_little_memory(seeds, open_file, name):
    data = seeds.SEEDS[name]()
    open_file(data)
    tracemalloc.start()
    try:
        for at in range(0, len(data), max(1, len(data) // 60)):
            broken = bytearray(data)
            broken[at : at + 4] = b"\xff\xff\xff\x7f"
            try:
                open_file(bytes(broken))
            except FormatError:
                continue
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
