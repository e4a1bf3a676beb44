from simulators.instruments import frames
from simulators.instruments.frames import FrameMemory
from simulators.world import WorldFile


def test_frames_are_found_after_a_restart_newest_last():
    state = WorldFile(":memory:")
    memory = FrameMemory(state, "camera/frame/")
    for tag in ("t1/s1", "t1/s2"):
        memory.add(tag, {"x_um": 7})
    again = FrameMemory(state, "camera/frame/")
    assert again.get("t1/s1") == {"number": 0, "x_um": 7}
    assert again.last == {"number": 1, "x_um": 7}
    assert again.get("t2") is None


def test_the_oldest_frames_are_overwritten(monkeypatch):
    monkeypatch.setattr(frames, "KEPT", 3)
    state = WorldFile(":memory:")
    memory = FrameMemory(state, "f/")
    assert memory.last is None
    for number in range(5):
        memory.add(f"t{number}", {})
    assert [memory.get(f"t{number}") is not None for number in range(5)] == [False, False, True, True, True]
    memory.add("t0", {"again": True})
    again = FrameMemory(state, "f/")
    assert again.last == memory.last == {"number": 5, "again": True}
    assert again.get("t2") is None
