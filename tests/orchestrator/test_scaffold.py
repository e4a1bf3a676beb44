"""Scaffolds: what is written conforms as it stands, for every capability on every kind of wire."""

import importlib
import subprocess
import sys

import pytest

from orchestrator.errors import InputError
from orchestrator.scaffold import CAPABILITIES, LINKS, write_package
from simulators.conformance import check_driver

ONE_OF_EACH_KIND = list({kind: link for link, kind in LINKS.items()}.values())


@pytest.fixture
def importable(tmp_path, monkeypatch):
    def load(folder, module):
        monkeypatch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        return importlib.import_module(module)

    return load


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("link", ONE_OF_EACH_KIND)
def test_what_is_written_conforms(tmp_path, importable, link, capability):
    name = f"acme-{capability.lower()}-{LINKS[link]}"
    folder = write_package(name, link=link, capability=capability, out=tmp_path)
    module, title = name.replace("-", "_"), "".join(map(str.capitalize, name.split("-")))
    driver = getattr(importable(folder, f"{module}.driver"), title)
    world = getattr(importable(folder, f"{module}.simulator"), f"{title}World")
    report = check_driver(driver, name=name, world=world)
    assert [(result.command, result.fault, result.problems) for result in report.failures] == []
    assert report.n_cases > 100
    assert link in driver.manifest.wires


@pytest.mark.parametrize("link", ONE_OF_EACH_KIND)
def test_what_is_written_is_tidy(tmp_path, link):
    for capability in CAPABILITIES:
        write_package(f"acme-{capability.lower()}", link=link, capability=capability, out=tmp_path)
    ruff = [sys.executable, "-m", "ruff"]
    lines = ["--isolated", "--line-length", "120", "."]
    for folder in tmp_path.iterdir():
        for check in (["check", "--select", "E,F,W,B"], ["format", "--check"]):
            done = subprocess.run([*ruff, *check, *lines], cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "link", "capability", "match"),
    [
        ("Acme", "serial", "Heater", "no driver's name"),
        ("acme heater", "serial", "Heater", "no driver's name"),
        ("acme", "seriel", "Heater", "did you mean 'serial'"),
        ("acme", "serial", "Heatr", "did you mean 'Heater'"),
        ("acme", "serial", "Diffractometer", "no template"),
        ("furnace", "serial", "Heater", "installed already"),
        ("json", "serial", "Heater", "another Python module"),
        ("class", "serial", "Heater", "another Python module"),
        ("drivers", "serial", "Heater", "another Python module"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, link, capability, match):
    with pytest.raises(InputError, match=match):
        write_package(name, link=link, capability=capability, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path):
    write_package("acme", link="serial", capability="Heater", out=tmp_path)
    with pytest.raises(InputError, match="exists already"):
        write_package("acme", link="serial", capability="Heater", out=tmp_path)
