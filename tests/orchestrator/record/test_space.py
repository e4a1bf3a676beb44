import os

import pytest

from orchestrator.record import space as module
from orchestrator.record.space import Reserve, Verdict, free_bytes

MB = 2**20


@pytest.fixture
def reserve(tmp_path):
    return Reserve(tmp_path, size_bytes=MB)


@pytest.mark.parametrize(
    ("free_mb", "is_held", "verdict"),
    [(65, True, "ok"), (63, True, "low"), (65, False, "low"), (3, True, "out"), (0, False, "out")],
)
def test_the_verdict_follows_the_free_space_and_the_reserve(reserve, monkeypatch, free_mb, is_held, verdict):
    if is_held:
        reserve.hold()
    monkeypatch.setattr(module, "free_bytes", lambda _path: free_mb * MB)
    found = reserve.space()
    assert found.verdict is Verdict(verdict)
    assert str(found) == f"{free_mb} MB are free" + ("" if is_held else ", and its reserve is used up")


def test_the_reserve_takes_real_space_once(reserve):
    assert reserve.hold()
    assert reserve.hold()
    assert os.stat(reserve.path).st_blocks * 512 >= MB  # a file with holes would reserve nothing
    assert reserve.release()
    assert not reserve.release()
    assert not reserve.is_held


def test_a_reserve_that_does_not_fit_leaves_nothing_behind(tmp_path):
    reserve = Reserve(tmp_path, size_bytes=2**50)
    assert not reserve.hold()
    assert list(tmp_path.iterdir()) == []
    assert free_bytes(tmp_path) > 0
