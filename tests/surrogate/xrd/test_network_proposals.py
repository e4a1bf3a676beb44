"""What a network proposes out of another library, when it holds its tongue, and what becomes of it in a search."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from surrogate.xrd.hypothesis import SearchSettings
from surrogate.xrd.identify import Identifier, Settings
from surrogate.xrd.library import Library, embedded_library
from surrogate.xrd.network import PhaseNet, PhaseNetwork, save_network
from surrogate.xrd.network_file import WrongNetwork
from surrogate.xrd.network_proposals import LEAST_PROBABILITY, MOST, make_proposer
from surrogate.xrd.pattern import Pattern, make_pattern
from surrogate.xrd.search import Searcher
from tests.surrogate.xrd.mixtures import CALIBRATION, phase_of, simulated_scan, write_xy
from tests.surrogate.xrd.phase_networks import COPPER_ANGSTROM, NAMES, TINY, library

HALITE = {"halite": 1.0}


def saying(path: Path, chances: Mapping[str, float], **changes: object) -> Path:
    """Write a network that gives some phases these probabilities, whatever the pattern, and the others none."""
    net = PhaseNet(TINY)
    with torch.no_grad():
        net.last.weight.zero_()
        net.last.bias.fill_(-20.0)
        for name, chance in chances.items():
            net.last.bias[NAMES.index(name)] = math.log(chance / (1.0 - chance))
    network = PhaseNetwork(
        net=net.eval(), names=NAMES, library_key=library().key, wavelength_angstrom=COPPER_ANGSTROM, facts={}
    )
    save_network(path, replace(network, **changes))
    return path


def pattern_of(low_deg: float, high_deg: float) -> Pattern:
    return make_pattern(simulated_scan("L1", HALITE, 3, (low_deg, high_deg, 0.05)))


@pytest.fixture(scope="module")
def pattern() -> Pattern:
    return pattern_of(20.0, 70.0)


def names(proposed: tuple[int, ...], of: Library) -> list[str]:
    return [of.phases[one].name for one in proposed]


def test_the_likely_phases_are_proposed_and_the_most_probable_first(tmp_path: Path, pattern: Pattern) -> None:
    chances = {"quartz": 0.5, "halite": 0.9, "periclase": 0.5 * LEAST_PROBABILITY, "rutile": 2.0 * LEAST_PROBABILITY}
    proposer = make_proposer(saying(tmp_path / "n.npz", chances), library())
    found = proposer.proposed(pattern, library().phases)
    assert names(found.phases, library()) == ["halite", "quartz", "rutile"]
    assert found.notes == () and proposer.note == ""


def test_no_more_are_proposed_than_a_few(tmp_path: Path, pattern: Pattern, monkeypatch: pytest.MonkeyPatch) -> None:
    proposer = make_proposer(saying(tmp_path / "n.npz", dict.fromkeys(NAMES, 0.5)), library())
    assert len(proposer.proposed(pattern, library().phases).phases) == min(MOST, len(NAMES))
    monkeypatch.setattr("surrogate.xrd.network_proposals.MOST", 2)
    assert len(proposer.proposed(pattern, library().phases).phases) == 2


def test_of_another_library_only_what_both_know_is_proposed_and_the_rest_is_told(
    tmp_path: Path, pattern: Pattern
) -> None:
    other = embedded_library(["anatase", "halite", "calcite", "corundum"])
    proposer = make_proposer(saying(tmp_path / "n.npz", {"rutile": 0.9, "halite": 0.8, "quartz": 0.9}), other)
    assert proposer.note == "the network knows 2 of the library's 4 phases; it never proposes anatase, calcite"
    assert names(proposer.proposed(pattern, other.phases).phases, other) == ["halite"]
    # a search may have left out phases that have no reflection in range
    assert proposer.proposed(pattern, other.phases[:1]).phases == ()
    assert proposer.proposed(pattern, other.phases[1:]).phases == (0,)


def test_a_phase_is_known_by_its_content_under_any_name(tmp_path: Path, pattern: Pattern) -> None:
    keys = {"phase_keys": {phase.name: phase.key for phase in library().phases}}
    path = saying(tmp_path / "n.npz", {"halite": 0.9, "quartz": 0.1}, facts=keys)
    renamed = replace(phase_of("halite"), name="rock salt, COD 9000629")
    swollen = replace(phase_of("quartz"), cell=(4.95, 4.95, 5.43, 90.0, 90.0, 120.0))
    other = Library(phases=(swollen, renamed))
    proposer = make_proposer(path, other)
    assert names(proposer.proposed(pattern, other.phases).phases, other) == [renamed.name, "quartz"]
    assert proposer.note == "the network was trained with other structures of quartz"


def test_a_network_of_other_phases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongNetwork, match=r"knows none of the library's 2 phases \(it knows rutile, .* and 1 more"):
        make_proposer(saying(tmp_path / "n.npz", {}), embedded_library(["anatase", "calcite"]))


def test_a_network_for_another_wavelength_is_refused_or_silent(tmp_path: Path, pattern: Pattern) -> None:
    path = saying(tmp_path / "n.npz", {"halite": 0.9}, wavelength_angstrom=1.78897)
    with pytest.raises(WrongNetwork, match=r"trained for 1.78897 angstrom, the pattern was taken at 1.54060"):
        make_proposer(path, library(), wavelength_angstrom=COPPER_ANGSTROM)
    found = make_proposer(path, library()).proposed(pattern, library().phases)
    assert found.phases == () and "the network proposed nothing: the network was trained for" in found.notes[0]


def test_the_mean_copper_wavelength_is_copper(tmp_path: Path) -> None:
    assert make_proposer(saying(tmp_path / "n.npz", {}), library(), wavelength_angstrom=1.54184).outputs


@pytest.mark.parametrize(
    ("low_deg", "high_deg", "is_enough"),
    [(25.0, 45.0, True), (30.0, 60.0, True), (32.0, 80.0, False), (10.0, 40.0, False)],
)
def test_of_a_short_range_nothing_is_proposed_and_that_is_told(
    tmp_path: Path, low_deg: float, high_deg: float, is_enough: bool
) -> None:
    proposer = make_proposer(saying(tmp_path / "n.npz", {"halite": 0.9}), library())
    found = proposer.proposed(pattern_of(low_deg, high_deg), library().phases)
    assert bool(found.phases) is is_enough
    if not is_enough:
        assert f"has to see 30.5 to 44.5 deg, and the pattern goes from {low_deg:.1f} to" in found.notes[0]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongNetwork, match="none.npz cannot be read: No such file"):
        make_proposer(tmp_path / "none.npz", library())
    (tmp_path / "text.npz").write_text("no network")
    with pytest.raises(WrongNetwork, match=r"text.npz holds no network"):
        make_proposer(tmp_path / "text.npz", library())


def tried(searcher: Searcher, pattern: Pattern, proposed: tuple[int, ...] = ()) -> set[tuple[int, ...]]:
    return {one.phases for one in searcher.search(pattern, proposed=proposed)}


def test_what_is_proposed_is_tried_though_screening_ranks_it_low(searcher: Searcher) -> None:
    blind = Searcher(
        searcher.atlas, settings=SearchSettings(n_screened=1, n_beside=1, n_later=1, max_phases=1, poor_misfit=1e9)
    )
    pattern = make_pattern(simulated_scan("L1", {"rutile": 0.6, "corundum": 0.4}, 1))
    at = {phase.name: number for number, phase in enumerate(searcher.atlas.phases)}
    (second,) = {(at["rutile"],), (at["corundum"],)} - tried(blind, pattern)
    assert second in tried(blind, pattern, second)


def test_evidence_decides_about_what_is_proposed(searcher: Searcher) -> None:
    pattern = make_pattern(simulated_scan("L1", {"rutile": 0.6, "corundum": 0.4}, 1))
    without, with_ = searcher.search(pattern)[0], searcher.search(pattern, proposed=(2, 7, 9, 9))[0]
    assert with_.phases == without.phases
    assert with_.log_evidence == pytest.approx(without.log_evidence, abs=0.5)


def identifier(path: Path, chances: Mapping[str, float]) -> Identifier:
    settings = Settings(network=saying(path, chances))
    return Identifier(library(), settings=settings, calibration=CALIBRATION)


def test_results_name_the_network_by_its_hash(tmp_path: Path) -> None:
    scan = simulated_scan("L1", HALITE, 3)
    found = identifier(tmp_path / "n.npz", {"halite": 0.9}).identify(scan)
    assert [claim.name for claim in found.phases] == ["halite"]
    assert found.provenance["network"] == hashlib.sha256((tmp_path / "n.npz").read_bytes()).hexdigest()
    assert "network" not in Identifier(library(), calibration=CALIBRATION).identify(scan).provenance


def test_why_a_network_is_silent_stands_among_the_reasons(tmp_path: Path) -> None:
    scan = simulated_scan("L1", HALITE, 3, (31.0, 70.0, 0.05))
    found = identifier(tmp_path / "n.npz", {"halite": 0.9}).identify(scan)
    assert [claim.name for claim in found.phases] == ["halite"]
    assert any("the network proposed nothing: it has to see" in reason for reason in found.reasons)


def test_workers_load_the_network_too(tmp_path: Path) -> None:
    scan = simulated_scan("L1", HALITE, 3, (25.0, 60.0, 0.05))
    files = [write_xy(tmp_path / f"{number}.xy", scan, wavelength=False) for number in range(2)]
    one = identifier(tmp_path / "n.npz", {"halite": 0.9, "periclase": 0.3})
    alone, shared = (
        [found.as_dict() | {"seconds": 0.0} for found in one.identify_files(files, workers=n)] for n in (1, 2)
    )
    assert shared == alone
    assert [found["verdict"] for found in alone] == ["identified"] * 2
