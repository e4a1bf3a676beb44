"""Damaged files of every reader: each is read or refused with a reason, soon, and in little memory."""

import runpy
import time
import tracemalloc
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from surrogate.formats.errors import FormatError
from surrogate.formats.read import read_bytes
from surrogate.formats.readers import READERS
from surrogate.formats.record import MeasurementFile
from surrogate.xrd.formats import hdf_process

HERE = Path(__file__).parent
TIMES, LONG_TIMES = 12, 1500
LONGEST_S = 2.0
"""CPU time that no small file may take: a guard against hanging, not a measure of speed."""
LEAST_BYTES, BYTES_PER_BYTE = 50_000_000, 100

mutated = runpy.run_path(str(HERE / "mutate.py"))["mutated"]
PARTS = {part: runpy.run_path(str(HERE / f"seeds_{part}.py"))["SEEDS"] for part in ("text", "xrd", "spectra")}
SEEDS = [pytest.param(part, name, id=f"{part}-{name}") for part, seeds in PARTS.items() for name in sorted(seeds)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Let the process that reads HDF5 be ended soon."""
    monkeypatch.setattr(hdf_process, "LONGEST_S", 3.0)


@pytest.fixture(scope="module")
def others():
    return [make() for seeds in PARTS.values() for make in seeds.values()]


@pytest.mark.parametrize(("part", "name"), SEEDS)
def test_each_seed_is_read(part, name):
    assert read_bytes(PARTS[part][name]()).scans


def test_each_reader_has_a_seed(others):
    without = [reader.name for reader in READERS if not any(reader.recognises(data) for data in others)]
    assert without == []


@pytest.mark.parametrize(("part", "name"), SEEDS)
def test_a_damaged_file_is_read_or_refused(part, name, others):
    survive(PARTS[part][name](), np.random.default_rng(crc32(name.encode())), others, times=TIMES)


LONG = 300_000
HOSTILE = {
    "brackets in a name": b"(" * LONG + b" x\n1 2\n2 3\n3 4\n",
    "blanks in a name": b"a" + b" " * LONG + b"(b\n1 2\n2 3\n3 4\n",
    "digits": b"1" * LONG + b" 2\n" + b"1" * LONG + b" 3\n",
    "line ends": b"\n" * LONG + b"x",
    "comments": b";\r\n" * LONG + b"x",
    "quotes": b'"' * LONG + b",1\n" + b'"' * LONG + b",2\n",
    "one wide row": b"1 " * LONG + b"\n" + b"1 " * LONG,
    "a wide bank": b"t\nBANK 1 5 1 CONST " + b"1" * LONG + b"x 2\n 1 2 3 4 5\n",
    "long fields of a bank": b"t\nBANK 1 5 1 CONST 1 2 STD\n" + b"1" * LONG + b"\n",
    "a long number in CIF": b"data_a\n_pd_meas_2theta_scan 1\nloop_\n_pd_meas_counts_total\n" + b"1" * LONG + b"x\n5\n",
    "many blocks": b"data_a\n_pd_meas_number_of_points 5\n" * (LONG // 40),
    "many ranges": b"_FILEVERSION=1\n_DRIVE='COUPLED'\n" + b"_START=1\n_STEPSIZE=1\n_COUNTS\n1 2\n" * (LONG // 150),
    "a long key": b"_FILEVERSION=1\n_" + b"A" * LONG + b"\n_COUNTS\n1 2\n",
    "marks": b">>>>>" * (LONG // 5) + b"\n1 2\n2 3\n",
    "settings": b"Time1=24ms:Average1=50:" + b"a b" * (LONG // 3) + b"\n1 2\n2 3\n",
    "a long fact": b"x: " + b"1" * LONG + b" s\n2theta cps\n1 2\n2 3\n",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_text_made_to_take_long_does_not(data):
    assert timed(data) < LONGEST_S


@pytest.mark.slow
@pytest.mark.parametrize(("part", "name"), SEEDS)
def test_many_damaged_files_are_read_or_refused(part, name, others):
    # a process is started after each damaged HDF5
    times = LONG_TIMES // 5 if name.startswith("nexus") else LONG_TIMES
    survive(PARTS[part][name](), np.random.default_rng(crc32(name.encode()) + 1), others, times=times)


def survive(seed, rng, others, *, times):
    for turn in range(times):
        data = mutated(seed, rng, others)
        allowed = LEAST_BYTES + BYTES_PER_BYTE * len(data)
        # watching memory slows reading several times
        peak, taken_s = watched(data) if turn % 4 == 0 else (0, timed(data))
        assert taken_s < LONGEST_S, f"turn {turn} took {taken_s:.1f} s"
        assert peak < allowed, f"turn {turn} took {peak} bytes for a file of {len(data)}"


def timed(data):
    """Read a file, and return the CPU time that it took."""
    started = time.process_time()
    try:
        assert isinstance(read_bytes(data, name="damaged"), MeasurementFile)
    except FormatError as error:
        assert len(str(error)) > 20
    return time.process_time() - started


def watched(data):
    """Read a file, and return the most memory and the CPU time that it took."""
    tracemalloc.start()
    try:
        taken_s = timed(data)
        return tracemalloc.get_traced_memory()[1], taken_s
    finally:
        tracemalloc.stop()
