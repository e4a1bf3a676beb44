import multiprocessing
import os
import signal
import sqlite3
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.world import WorldBusy, WorldFile, claim

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "world # 1?.db"


@given(rows=st.lists(st.dictionaries(st.text(max_size=6), VALUES, max_size=4), max_size=5))
@settings(max_examples=20)
def test_what_was_written_is_there_after_a_restart(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("world") / "world.db"
    expected = {}
    for row in rows:
        file = WorldFile(path)
        file.update(row)
        expected |= row
        file.close()
    file = WorldFile(path)
    assert {key: file.get(key) for key in file.keys("")} == expected
    file.close()


def test_a_missing_key_has_a_default():
    assert WorldFile(":memory:").get("absent", 7) == 7


def test_keys_come_in_the_order_in_which_they_were_first_written(path):
    file = WorldFile(path)
    for key in ("shot/2", "stage", "shot/10", "shot/1"):
        file.put(**{key: 1})
    file.put(**{"shot/2": 2})
    assert list(file.keys("shot/")) == ["shot/2", "shot/10", "shot/1"]
    file.close()
    file = WorldFile(path)
    assert list(file.keys("shot/")) == ["shot/2", "shot/10", "shot/1"]
    file.close()


def test_several_rows_are_written_together_or_not_at_all(path):
    file = WorldFile(path)
    file._db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON state WHEN new.key = 'b' BEGIN SELECT RAISE(ABORT, 'x'); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        file.update({"a": 1, "b": 2})
    assert file.get("a") is None
    file.update({"c": 3, "d": 4})
    file.close()
    reader = WorldFile(path, read_only=True)
    assert {key: reader.get(key) for key in reader.keys("")} == {"c": 3, "d": 4}
    reader.close()


def test_a_value_that_is_no_json_is_refused_and_nothing_is_written(path):
    file = WorldFile(path)
    with pytest.raises(TypeError):
        file.put(a=1, b=object())
    assert file.get("a") is None
    file.close()


def test_one_writer_at_a_time(path):
    file = WorldFile(path)
    with pytest.raises(WorldBusy, match="another process runs the world"):
        WorldFile(path, lock_wait_s=0.01)
    file.put(a=1)
    reader = WorldFile(path, read_only=True)
    assert reader.get("a") == 1
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.put(a=2)
    reader.close()
    file.close()
    file.close()
    WorldFile(path, lock_wait_s=0.01).close()


def write_for_ever(path, pipe):
    file = WorldFile(path)
    for number in range(1_000_000):
        file.update({f"row/{number}": number, "last": number})
        pipe.send_bytes(b"%d" % number)


def test_what_was_answered_is_there_after_a_kill(path):
    receiver, sender = multiprocessing.Pipe(duplex=False)
    writer = multiprocessing.get_context("fork").Process(target=write_for_ever, args=(path, sender))
    writer.start()
    sender.close()
    answered = -1
    while answered < 200:
        answered = int(receiver.recv_bytes())
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    try:
        while True:
            answered = int(receiver.recv_bytes())
    except EOFError:
        pass
    file = WorldFile(path, lock_wait_s=0.5)
    last = file.get("last")
    assert answered <= last <= answered + 1
    assert [file.get(f"row/{number}") for number in range(last + 1)] == list(range(last + 1))
    file.close()


def test_a_write_is_cheap(path):
    """Some 15 us here; a world of 1,000 trials writes a few tens of thousands."""
    file = WorldFile(path)
    began = time.perf_counter()
    for number in range(1000):
        file.update({f"row/{number}": {"x_um": number, "tag": "0001/a1/s3"}})
    assert (time.perf_counter() - began) / 1000 < 1e-3
    file.close()


def test_a_file_belongs_to_one_world(path):
    file = WorldFile(path)
    options = {"failures": True}
    assert claim(file, "film-station", seed=3, options=options, began_s=12.5) == 12.5
    assert claim(file, "film-station", seed=3, options=options, began_s=99.0) == 12.5
    with pytest.raises(ValueError, match="seed 3, not 4"):
        claim(file, "film-station", seed=4, options=options, began_s=0.0)
    with pytest.raises(ValueError, match="options"):
        claim(file, "film-station", seed=3, options={}, began_s=0.0)
    with pytest.raises(ValueError, match="name 'film-station', not 'replay'"):
        claim(file, "replay", seed=3, options=options, began_s=0.0)
    file.close()
