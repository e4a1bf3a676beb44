import pytest
from filelock import FileLock, Timeout

from orchestrator import controllers
from orchestrator.controllers import controller_is_alive


def test_looking_at_the_lock_makes_none_and_keeps_none(fabricate):
    maker = fabricate()
    path = maker.sara(1)
    assert not controller_is_alive(path)
    assert not (path / "controller.lock").exists()
    with maker.directory.controlled():
        assert controller_is_alive(path)
    assert not controller_is_alive(path)
    with FileLock(path / "controller.lock", timeout=0):
        pass


def test_looking_at_the_lock_works_where_the_kernel_lists_none(fabricate, monkeypatch):
    monkeypatch.setattr(controllers, "_held_by_the_kernels_list", lambda _lock: None)
    path = fabricate().sara(1)
    lock = FileLock(path / "controller.lock", timeout=0)
    with lock:
        content = (path / "controller.lock").read_bytes()
        assert controller_is_alive(path)
        assert (path / "controller.lock").read_bytes() == content
        with pytest.raises(Timeout):
            FileLock(path / "controller.lock", timeout=0, is_singleton=False).acquire()
    assert not controller_is_alive(path)
