import json
from pathlib import Path

import pytest

from orchestrator.cli.main import supervise
from orchestrator.errors import InputError
from orchestrator.fault_profile import read_profile
from orchestrator.reading import read_snapshot

EXAMPLE = Path(__file__).parents[2] / "examples/powder_lab"


def written(folder, text):
    path = folder / "faults.yaml"
    path.write_text(text)
    return path


def test_the_example_is_a_profile_of_its_lab():
    profile = read_profile(EXAMPLE / "faults.yaml")
    assert "lab.simulation.powder-lab.faults.power_loss_per_run=0.01" in profile.overrides
    assert len(profile.provenance["fault profile"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("powder-lap: {profile: harsh}", r"1:1: powder-lap: no simulated world .* did you mean 'powder-lab'\?"),
        (
            "powder-lab:\n  faults:\n    droped_per_transfer: 0.1",
            r"3:26: .*droped.* did you mean 'dropped_per_transfer'\?",
        ),
        ("powder-lab: {faults: {dropped_per_transfer: 1.5}}", r"dropped_per_transfer is 1.5; it goes from 0 to 1"),
        ("powder-lab: {faults: {dropped_per_transfer: -0.1}}", r"is -0.1; it goes from 0 to 1"),
        ("powder-lab: {faults: {dropped_per_transfer: often}}", r"is 'often'; it goes from 0 to 1"),
        ("powder-lab: {profile: hard}", r"no profile is called 'hard'"),
        ("powder-lab: {wires: {arm-3: 0.1}}", r"no device with a wire is called 'arm-3'; did you mean 'arm-\d'\?"),
        ("powder-lab: {wires: {arm-1: {garble: 0.1}}}", r"nothing that goes wrong with arm-1 is called 'garble'"),
        ("powder-lab: {wires: {balance: {cut: 0.6, split: 0.6}}}", r"all of balance together is 1.2"),
        ("powder-lab: {faults: {}}", r"says nothing; leave it out"),
        ("powder-lab: {}", r"must be a mapping of options"),
        ("powder-lab: {profile: harsh, profile: none}", r"profile"),
        ("{}", r"by simulated world"),
    ],
)
def test_mistakes_are_told_at_their_place_in_the_profile(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"(?s)faults\.yaml.*{message}"):
        read_profile(written(tmp_path, text))


def test_all_mistakes_are_told_at_once(tmp_path):
    text = "powder-lab: {faults: {dropped_per_transfer: 2, jammed_per_travel: 3}}"
    with pytest.raises(InputError, match=r"(?s)is 2;.*is 3;"):
        read_profile(written(tmp_path, text))


def test_the_hash_is_of_what_is_said_and_not_of_how(tmp_path):
    first = read_profile(written(tmp_path, "powder-lab: {profile: harsh, stock_mg: 5}")).provenance
    same = read_profile(written(tmp_path, "# the same\npowder-lab:\n  stock_mg: 5\n  profile: harsh\n")).provenance
    other = read_profile(written(tmp_path, "powder-lab: {profile: harsh, stock_mg: 6}")).provenance
    assert first == same != other


def test_a_simulation_suffers_what_the_profile_says_and_its_journal_names_it(tmp_path):
    path = written(tmp_path, "powder-lab: {wires: {balance: {cut: 0.05}}}")
    out, result = tmp_path / "out", tmp_path / "result.json"
    more = [
        "--set",
        "budget.duration=1 h",
        "--set",
        "batch=1",
        "--set",
        "in_flight=1",
        "--planner",
        "random",
        "--out",
        str(out),
        "--json",
        str(result),
    ]
    assert supervise(["simulate", str(EXAMPLE / "campaign.yaml"), "--faults", str(path), *more]) == 0
    snapshot = read_snapshot(out)
    expected = read_profile(path).provenance
    assert snapshot.campaign.provenance["fault profile"] == expected["fault profile"]
    assert snapshot.campaign.lab["simulation"]["powder-lab"]["wires"] == {"balance": {"cut": 0.05}}
    assert json.loads(result.read_text())["provenance"].keys() >= {"fault profile"}
