"""Seeds of files, and reading as `surrogate.formats` reads: with agreement of the second reader."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from surrogate.formats import read
from surrogate.formats.readers import XRD, Reader


@pytest.fixture(scope="session")
def seeds() -> SimpleNamespace:
    """Return what `seeds_xrd` defines."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_xrd.py")))


@pytest.fixture
def open_file(monkeypatch):
    """Read bytes with the readers of diffractometer formats and the check by fairmat."""
    modules = ("xrdml", "brml", "bruker_raw", "ras", "rasx", "nxxrd")
    table = tuple(Reader(name=name, version="1", module=f"{XRD}.{name}") for name in modules)
    check = Reader(name="fairmat", version="1", module=f"{XRD}.fairmat", checks=("xrdml", "brml", "bruker_raw", "rasx"))
    monkeypatch.setattr(read, "readers", lambda: (*table, check))
    return lambda data: read.read_bytes(data, name="it")
