"""Teaching a network what a list of results says, by the command that a user gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate.xrd.identify import Identifier
from surrogate.xrd.network import load_network, save_network
from surrogate.xrd.training_fine_command import main
from surrogate.xrd.training_seen import adjudicated_patterns
from tests.surrogate.xrd.mixtures import CALIBRATION, simulated_scan, write_xy
from tests.surrogate.xrd.phase_networks import NAMES, library, untrained

RANGE = (25.0, 60.0, 0.05)


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    write_xy(tmp_path / "a.xy", simulated_scan("L1", {"halite": 1.0}, 3, RANGE))
    return tmp_path / "a.xy"


def listed(folder: Path, *results: dict[str, Any]) -> Path:
    path = folder / "results.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    return path


def test_what_identify_wrote_is_taken_as_it_is(tmp_path: Path, seen: Path) -> None:
    (found,) = Identifier(library(), calibration=CALIBRATION).identify_file(seen)
    unusable = {"file": "none.xy", "verdict": "unusable", "phases": []}
    (taught,) = adjudicated_patterns(listed(tmp_path, unusable, found.as_dict()), NAMES)
    assert taught.probability["halite"] == found.phases[0].probability > 0.9
    assert taught.weight_fraction == {"halite": pytest.approx(1.0)}
    assert taught.unknown_probability == pytest.approx(found.unknown_probability)
    assert taught.pattern.grid.n > 100


def test_a_phase_is_as_probable_as_all_sets_that_hold_it(tmp_path: Path, seen: Path) -> None:
    sets = [(["halite"], 0.5), (["halite", "quartz"], 0.3), (["rutile"], 0.2)]
    result = {
        "file": str(seen),
        "phases": [{"name": "halite", "probability": 0.8, "weight_fraction": 1.0}],
        "alternatives": [{"phases": phases, "probability": p} for phases, p in sets],
    }
    (taught,) = adjudicated_patterns(listed(tmp_path, result), NAMES)
    assert taught.probability == {"halite": 0.8, "quartz": 0.3, "rutile": 0.2}


def test_a_person_s_verdict_needs_names_only(tmp_path: Path, seen: Path) -> None:
    (taught,) = adjudicated_patterns(listed(tmp_path, {"file": str(seen), "phases": [{"name": "quartz"}]}), NAMES)
    assert taught.probability == {"quartz": 1.0}
    assert taught.weight_fraction == {}
    assert taught.unknown_probability == 0.0


def test_phases_that_the_network_does_not_know_are_unknown_to_it(
    tmp_path: Path, seen: Path, caplog: pytest.LogCaptureFixture
) -> None:
    phases = [{"name": n, "probability": p, "weight_fraction": 0.5} for n, p in (("halite", 0.9), ("silver", 0.6))]
    result = {"file": str(seen), "phases": phases, "unknown_probability": 0.5}
    (taught,) = adjudicated_patterns(listed(tmp_path, result), NAMES)
    assert taught.probability == {"halite": 0.9}
    assert taught.unknown_probability == pytest.approx(1.0 - 0.5 * 0.4)
    assert taught.weight_fraction == {}
    assert "knows no such phase: silver" in caplog.text


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({"phases": []}, "entry 1 has no file"),
        ({"file": "{seen}", "phases": ["halite"]}, "its phases have no names"),
        ({"file": "none.xy", "phases": []}, "names none.xy, which cannot be read"),
        ({"file": "{seen}#2", "phases": []}, "a.xy#2, which cannot be read"),
        ({"file": "{seen}", "phases": [], "provenance": {"sha256": "0"}}, "not the file that was identified"),
        ({"file": "{seen}", "phases": [{"name": n, "weight_fraction": 0.7} for n in NAMES[:2]]}, "add up to 1.400"),
        ({"file": "{seen}", "phases": [{"name": "halite", "probability": "high"}]}, "no result: could not convert"),
        ({"file": "{seen}", "phases": [], "alternatives": [{"phases": ["halite"]}]}, "no result: 'probability'"),
    ],
)
def test_what_cannot_be_taught_is_refused(tmp_path: Path, seen: Path, result: dict[str, Any], says: str) -> None:
    if "file" in result:
        result = result | {"file": result["file"].replace("{seen}", str(seen))}
    with pytest.raises(ValueError, match=says):
        adjudicated_patterns(listed(tmp_path, result), NAMES)


@pytest.mark.parametrize("text", ["", "{}", "\x00", "[1]"])
def test_a_file_that_is_no_list_of_results_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ValueError, match=r"results.json(: entry 1| holds no list of results)"):
        adjudicated_patterns(tmp_path / "results.json", NAMES)


def command(tmp_path: Path, results: Path, *more: str) -> list[str]:
    save_network(tmp_path / "n.npz", untrained())
    begin = ["--embedded", *NAMES, "--network", str(tmp_path / "n.npz"), "--adjudicated", str(results)]
    return [*begin, "--out", str(tmp_path / "tuned.npz"), *more]


def test_the_command_teaches_and_tells_what_it_did(tmp_path: Path, seen: Path) -> None:
    results = listed(tmp_path, {"file": str(seen), "phases": [{"name": "halite"}]})
    main(command(tmp_path, results, "--steps", "12", "--learning-rate", "0.01", "--replay", "0.5"))
    tuned = load_network(tmp_path / "tuned.npz")
    (taught,) = adjudicated_patterns(results, NAMES)
    at = NAMES.index("halite")
    before, after = (one.propose(taught.pattern).probability[at] for one in (untrained(), tuned))
    assert after > before + 0.2
    assert tuned.facts["fine_tuned"][0]["patterns"] == 1
    kept = load_network(tmp_path / "n.npz").propose(taught.pattern).probability
    assert np.array_equal(untrained().propose(taught.pattern).probability, kept)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--replay", "0.2"], "give at least 0.5"),
        (["--steps", "0"], "give 1 at least"),
        (["--network", "none.npz"], "none.npz"),
        (["--embedded", "halite"], "this library has 1"),
    ],
)
def test_a_wrong_call_is_refused_in_a_line(
    tmp_path: Path, seen: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    results = listed(tmp_path, {"file": str(seen), "phases": [{"name": "halite"}]})
    with pytest.raises(SystemExit, match="2"):
        main(command(tmp_path, results, *more))
    assert says in capsys.readouterr().err
    assert not (tmp_path / "tuned.npz").exists()


def test_an_interrupt_leaves_no_network(tmp_path: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("surrogate.xrd.training_fine.descend", interrupted)
    results = listed(tmp_path, {"file": str(seen), "phases": [{"name": "halite"}]})
    with pytest.raises(SystemExit, match="130"):
        main(command(tmp_path, results))
    assert not (tmp_path / "tuned.npz").exists()
