import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.cli.main import supervise
from orchestrator.drill.judging import read_all
from surrogate.reactions.substances import shipped_table

EXAMPLE = Path(__file__).parents[2] / "examples" / "lithium_cobalt_oxide"


@pytest.fixture
def folder(tmp_path):
    """A copy of the example whose planner has a table of its own beside the campaign file."""
    rows = [
        {"name": one.name, "enthalpy_kj_mol": one.enthalpy_kj_mol, "entropy_j_mol_k": one.entropy_j_mol_k}
        | {"formula": "".join(f"{element}{n:g}" for element, n in one.atoms.items())}
        for one in shipped_table().phases.values()
        if one.cations <= {"Li", "Co"}
    ]
    shutil.copytree(EXAMPLE, tmp_path / "example")
    (tmp_path / "example" / "mine.json").write_text(json.dumps(rows))
    file = tmp_path / "example" / "campaign.yaml"
    file.write_text(file.read_text().replace("    hold_h: 4\n", "    hold_h: 4\n    table: mine.json\n"))
    return tmp_path / "example"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_table_is_found_beside_the_campaign_file_and_hashed(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    campaign = check_campaign(folder / "campaign.yaml", None, []).require().campaign
    assert campaign.planner.options["table"] == str(folder / "mine.json")
    assert campaign.planner.options["table_sha256"] == digest(folder / "mine.json")


def test_an_option_of_the_command_line_counts_from_here(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.move(folder / "mine.json", tmp_path / "other.json")
    given = ["planner.options.table=other.json"]
    campaign = check_campaign(folder / "campaign.yaml", None, given).require().campaign
    assert campaign.planner.options["table"] == str(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: (folder / "mine.json").unlink(), "mine.json: cannot be read"),
        (lambda folder: (folder / "mine.json").write_text("{"), "mine.json: not JSON"),
        (lambda folder: (folder / "mine.json").write_text('[{"formula": "BaO"}]'), "row 1: enthalpy_kj_mol is None"),
    ],
    ids=["gone", "no JSON", "no energy"],
)
def test_a_table_that_is_none_is_a_mistake_in_the_campaign_file(folder, prepare, message):
    prepare(folder)
    problems = check_campaign(folder / "campaign.yaml", None, []).problems
    assert [problem.path for problem in problems] == ["planner.options"]
    assert message in str(problems[0])


@pytest.fixture
def killed(folder, tmp_path):
    """The directory of a campaign that was killed when its second sample was being made."""
    place = tmp_path / "c"
    line = [sys.executable, "-m", "orchestrator.cli.main", "simulate", str(folder / "campaign.yaml")]
    line += ["--trials", "3", "--out", str(place)]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as campaign:
        deadline_s = time.monotonic() + 120.0
        while not (place / "measurements" / "000002").exists() and time.monotonic() < deadline_s:
            assert campaign.poll() is None
            time.sleep(0.02)
        campaign.kill()
    return place


def test_a_changed_table_is_refused_when_a_campaign_goes_on_before_anything_moves(folder, killed, capsys):
    told = json.loads((killed / "campaign.json").read_text())["campaign"]["planner"]["options"]
    assert told["table_sha256"] == digest(folder / "mine.json")
    events = len(_events(killed))
    before = (folder / "mine.json").read_text()
    for broken in (before + " ", None):
        _put(folder / "mine.json", broken)
        assert supervise(["resume", str(killed)]) == 2
        said = capsys.readouterr().err
        assert ("mine.json was changed since" if broken else "mine.json; this campaign began with it") in said
        assert "made_safe" not in said
    assert len(_events(killed)) == events
    _put(folder / "mine.json", before)
    assert supervise(["resume", str(killed)]) == 0


def _put(path, text):
    path.unlink() if text is None else path.write_text(text)


def _events(place):
    return read_all(place)[0]
