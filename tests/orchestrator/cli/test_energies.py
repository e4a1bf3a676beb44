import json
import os
import subprocess
import sys

import pytest

from orchestrator.cli.main import supervise
from surrogate.reactions.substances import read_table
from tests.surrogate.reactions.materials_project_server import KEY, project


@pytest.fixture
def server(monkeypatch):
    with project() as running:
        monkeypatch.setenv("MP_API_KEY", KEY)
        monkeypatch.setenv("MP_API_ENDPOINT", running.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield running


def energies(elements, path, *more):
    return supervise(["energies", elements, "--out", str(path), *more])


def test_energies_are_fetched_told_and_kept(server, tmp_path, capsys):
    path = tmp_path / "mp.json"
    assert energies("Ba,Ti", path) == 0
    said = capsys.readouterr().out
    assert "BaTiO3-tetragonal" in said and "7 phases are now in" in said
    assert KEY not in said and KEY not in path.read_text()
    assert set(read_table(path).phases) >= {"witherite", "rutile"}


def test_what_is_there_is_not_fetched_again(server, tmp_path, capsys, monkeypatch):
    path = tmp_path / "mp.json"
    assert energies("Ba, Ti", path) == 0
    n_asked = len(server.asked)
    monkeypatch.delenv("MP_API_KEY")
    assert energies("Ti", path, "--above-hull", "0.01") == 0
    assert "7 phases were already in" in capsys.readouterr().out
    assert len(server.asked) == n_asked


@pytest.mark.parametrize(
    ("elements", "more", "code", "message"),
    [
        ("Ba,Xx", [], 2, "'Xx' is no element; write symbols"),
        ("He", [], 3, "knows no phase of He"),
        ("Ba", ["--above-hull", "-1"], 2, "--above-hull"),
    ],
    ids=["no element", "unknown", "negative"],
)
def test_mistakes_say_what_to_do(server, tmp_path, capsys, elements, more, code, message):
    assert energies(elements, tmp_path / "mp.json", *more) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "mp.json").exists()


def test_without_a_key_it_says_what_to_set(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    assert energies("Ba", tmp_path / "mp.json") == 3
    assert "MP_API_KEY is not set" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told(server, tmp_path, capsys):
    assert energies("Ba", tmp_path / "nowhere" / "mp.json") == 6
    assert "cannot be written" in capsys.readouterr().err


def test_the_command_loads_no_torch(server, tmp_path):
    code = (
        "import sys\nfrom orchestrator.cli.main import supervise\n"
        f"status = supervise(['energies', 'Ba', '--out', {str(tmp_path / 'mp.json')!r}])\n"
        "print(status, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.endswith("0 False\n")
    assert json.loads((tmp_path / "mp.json").read_text())["substances"]
