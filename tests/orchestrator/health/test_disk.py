import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.health.disk import Written, bytes_per_s, disk
from orchestrator.health.finding import Level

DAY_S = 86_400.0
GB, MB = 10**9, 10**6
GRAVITY = {Level.OK: 0, Level.NOTE: 1, Level.WARNING: 2}


def written(**changes):
    usual = {
        "free_bytes": 100 * GB, "low_bytes": 64 * MB, "other_bytes": 0, "now_s": 10 * DAY_S, "is_over": False,
        "files": [(hour * 3600.0, 50 * MB) for hour in range(240)], "horizon_s": 13 * DAY_S,
    }  # fmt: skip
    return Written(**{**usual, **changes})


@given(st.integers(0, 200 * GB), st.integers(0, 200 * GB))
def test_more_room_is_never_worse(one, other):
    graver, milder = (disk(written(free_bytes=free)) for free in sorted([one, other]))
    assert GRAVITY[graver.level] >= GRAVITY[milder.level]


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        ({}, Level.OK, "100 GB of the disk are free; at the present rate of 1.15 GB a day it lasts 86 d 21 h"),
        ({"free_bytes": 8 * GB}, Level.NOTE, "it lasts 6 d 21 h"),
        ({"free_bytes": 3 * GB}, Level.WARNING, "it lasts 2 d 13 h"),
        ({"free_bytes": 3 * GB, "is_over": True}, Level.OK, "3 GB of the disk are free"),
        ({"free_bytes": 10 * MB}, Level.WARNING, "less than 64 MB"),
        ({"files": []}, Level.OK, "for years"),
        ({"now_s": 60.0}, Level.OK, "100 GB of the disk are free"),
    ],
)
def test_the_disk(changes, level, said):
    found = disk(written(**changes))
    assert found.level is level
    assert said in found.text


def test_the_rate_is_that_of_the_last_day_and_of_what_grows_all_along():
    rate = bytes_per_s(written(files=[(DAY_S, 10**12), (9.5 * DAY_S, 864_000)], other_bytes=10 * 86_400))
    assert rate == pytest.approx(10.0 + 1.0)
