"""What runs in a Dask worker, without Dask."""

import pytest

from surrogate.compute.cluster import hand

OPTIONS = {
    "threads": 1, "is_gpu": False, "slack_bytes": 0, "preload": [], "starts_s": 1.0, "forgotten_s": 60.0,
}  # fmt: skip


@pytest.fixture
def hands(tmp_path, monkeypatch):
    """Processes 1 to 3 of one pool and 2 of another, not begun yet."""
    keys = [("ours", 1), ("ours", 2), ("ours", 3), ("theirs", 2)]
    found = {key: hand.Hand(key, OPTIONS, str(tmp_path)) for key in keys}
    monkeypatch.setattr(hand, "_HANDS", found)
    return found


def is_ended(one):
    return bool(one.process._reason)


def test_a_process_that_was_begun_after_its_pool_spoke_is_not_ended(hands):
    hand.touched("ours", [1], 2)
    assert [key for key, one in hands.items() if is_ended(one)] == [("ours", 2)]
    hand.touched("ours", [1], 3)
    assert [key for key, one in hands.items() if is_ended(one)] == [("ours", 2), ("ours", 3)]


def test_a_pool_that_is_closed_ends_all_of_its_own(hands):
    hand.closed("ours")
    assert [key for key, one in hands.items() if not is_ended(one)] == [("theirs", 2)]
