from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from surrogate.model_file import store
from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.fit import start
from surrogate.xrd.generate import LEVELS, generate
from surrogate.xrd.generate_draw import drawn
from surrogate.xrd.grid import Grid
from surrogate.xrd.library import embedded_library
from surrogate.xrd.network import LOG_ODDS_LIMITS, Proposal, load_network, save_network
from surrogate.xrd.network_file import WrongNetwork
from surrogate.xrd.network_input import HIGH_PER_ANGSTROM, LOW_PER_ANGSTROM, N_BINS, network_input
from surrogate.xrd.pattern import Pattern
from tests.surrogate.xrd.phase_networks import COPPER_ANGSTROM, NAMES, library, pattern_of, untrained

GRID = Grid(start_deg=10.0, step_deg=0.02, n=3501)
STEP = math.log(HIGH_PER_ANGSTROM / LOW_PER_ANGSTROM) / N_BINS


@pytest.fixture(scope="module")
def pattern() -> Pattern:
    atlas = make_atlas(library().phases, highest_deg=90.0)
    batch = generate(atlas, LEVELS["L1"], 1, torch.Generator().manual_seed(1))
    return pattern_of(batch.counts[0], batch.grid)


def plain(name: str, grid: Grid = GRID, strain: float = 0.0) -> torch.Tensor:
    """Return ``1 x n`` intensities of a phase whose edges are longer by a part."""
    atlas = make_atlas(embedded_library([name]).phases, highest_deg=100.0)
    row = torch.zeros(1, dtype=torch.int64)
    width = torch.tensor([0.1], dtype=torch.float64)
    one = start(atlas, row, row, width_deg=width, strain=-2.0 * strain * atlas.isotropic[:1])
    return 1000.0 * drawn(atlas, grid, one, torch.ones(1, dtype=torch.float64)).to(torch.float64)


def root(intensity: torch.Tensor, grid: Grid = GRID) -> np.ndarray:
    return network_input(grid, intensity, intensity + 1.0, COPPER_ANGSTROM)[0, 0].numpy()


def test_a_strained_phase_is_the_same_picture_shifted() -> None:
    bins = 8
    moved = root(plain("quartz", strain=bins * STEP))
    shifts = np.arange(-20, 21)
    agreement = [np.dot(np.roll(root(plain("quartz")), -shift), moved) for shift in shifts]
    assert shifts[int(np.argmax(agreement))] == bins


@pytest.mark.parametrize("step_deg", [0.01, 0.03, 0.05])
def test_the_step_of_a_scan_does_not_matter(step_deg: float) -> None:
    other = Grid(start_deg=10.0, step_deg=step_deg, n=round(70.0 / step_deg) + 1)
    assert np.corrcoef(root(plain("quartz")), root(plain("quartz", other), other))[0, 1] > 0.99


def test_a_smooth_background_is_taken_off() -> None:
    angle = GRID.two_theta_deg[None]
    under = 400.0 + 5.0 * (angle - 30.0) + 800.0 * torch.exp(-(((angle - 25.0) / 8.0) ** 2)) + 3000.0 / angle
    without, with_it = root(plain("corundum")), root(plain("corundum") + under)
    assert np.corrcoef(without**2, with_it**2)[0, 1] > 0.97
    assert np.quantile(with_it**2, 0.75) < 0.05


def test_what_was_not_measured_is_marked_and_zero() -> None:
    intensity = plain("quartz") + 100.0
    variance = intensity.clone()
    variance[:, GRID.two_theta_deg < 25.0] = torch.inf
    found = network_input(GRID, intensity, variance, COPPER_ANGSTROM)[0].numpy()
    log_q = math.log(LOW_PER_ANGSTROM) + STEP * (np.arange(N_BINS) + 0.5)
    angle = 2.0 * np.degrees(np.arcsin(np.exp(log_q) * COPPER_ANGSTROM / 2.0))
    assert np.all(found[2, angle > 25.03] == 1.0)
    assert np.all(found[2, angle < 24.97] == 0.0)
    assert np.all(found[:2, angle < 24.9] == 0.0)
    assert np.isfinite(found).all()


def test_significance_grows_with_the_counts_and_the_picture_does_not() -> None:
    few, many = (network_input(GRID, f * plain("quartz"), f * plain("quartz") + 1.0, COPPER_ANGSTROM) for f in (1, 100))
    assert float(many[0, 1].max()) > float(few[0, 1].max()) + 0.3
    torch.testing.assert_close(many[0, 0], few[0, 0], rtol=1e-4, atol=1e-4)


def test_log_odds_are_bounded_so_that_they_never_rule_out(pattern: Pattern) -> None:
    network = untrained()
    with torch.no_grad():
        network.net.last.weight.mul_(1000.0)
    odds = network.log_odds(pattern)
    assert odds.shape == (len(NAMES),)
    assert set(np.round(odds, 6)) <= set(LOG_ODDS_LIMITS)
    assert LOG_ODDS_LIMITS == (-6.0, 2.0)


def test_temperature_softens_what_is_said(pattern: Pattern) -> None:
    network = untrained()
    sharp, soft = (replace(network, temperature=t).propose(pattern).probability for t in (1.0, 4.0))
    np.testing.assert_allclose(np.log(sharp / (1 - sharp)), 4.0 * np.log(soft / (1 - soft)), rtol=1e-6, atol=1e-9)


def test_shares_and_the_unknown_are_proper(pattern: Pattern) -> None:
    said = untrained().propose(pattern)
    assert 0.0 < said.unknown_probability < 1.0
    assert 0.0 < said.weight_fraction.sum() < 1.0
    assert said.weight_fraction.min() >= 0.0


def test_the_best_come_first() -> None:
    said = Proposal(
        probability=np.array([0.1, 0.7, 0.2, 0.7]),
        unknown_probability=0.5,
        weight_fraction=np.zeros(4),
        log_odds=np.zeros(4),
    )
    assert said.best(3) == [1, 3, 2]


def test_another_wavelength_is_refused(pattern: Pattern) -> None:
    cobalt = replace(pattern, radiation=replace(pattern.radiation, wavelength_angstrom=(1.78897, 1.79285)))
    with pytest.raises(WrongNetwork, match=r"trained for 1.54060 angstrom, the pattern was taken at 1.78897"):
        untrained().log_odds(cobalt)


def test_another_library_is_refused() -> None:
    with pytest.raises(WrongNetwork, match="this library has 5"):
        untrained().belonging_to(embedded_library(NAMES[:5]))


def test_the_order_of_phases_follows_the_library(pattern: Pattern) -> None:
    network = untrained()
    turned = embedded_library(NAMES[::-1])
    other = network.belonging_to(turned)
    assert other.names == NAMES[::-1]
    np.testing.assert_allclose(other.log_odds(pattern), network.log_odds(pattern)[::-1], atol=1e-6)
    np.testing.assert_allclose(
        other.propose(pattern).weight_fraction, network.propose(pattern).weight_fraction[::-1], atol=1e-7
    )
    assert other.propose(pattern).unknown_probability == pytest.approx(network.propose(pattern).unknown_probability)


def test_a_network_survives_its_file(tmp_path: Path, pattern: Pattern) -> None:
    network = untrained()
    save_network(tmp_path / "n.npz", network)
    again = load_network(tmp_path / "n.npz")
    assert np.array_equal(again.log_odds(pattern), network.log_odds(pattern))
    for name in ("names", "library_key", "wavelength_angstrom", "temperature", "unknown_temperature", "facts"):
        assert getattr(again, name) == getattr(network, name)
    assert [path.name for path in tmp_path.iterdir()] == ["n.npz"]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(WrongNetwork, match="holds no network"):
        load_network(tmp_path / "other.npz")
    store({"a": np.zeros(3)}, {"format": 1}, tmp_path / "half.npz")
    with pytest.raises(WrongNetwork, match="holds no network that proposes phases"):
        load_network(tmp_path / "half.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(WrongNetwork, match="holds no network"):
        load_network(tmp_path / "text.npz")


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    head = np.array(json.dumps({"format": 1}))
    np.savez(tmp_path / "evil.npz", head=head, a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(WrongNetwork, match="allow_pickle"):
        load_network(tmp_path / "evil.npz")


def test_a_network_of_another_format_or_with_broken_weights_is_refused(tmp_path: Path) -> None:
    save_network(tmp_path / "n.npz", untrained())
    with np.load(tmp_path / "n.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    head = json.loads(str(arrays.pop("head")))
    store(arrays, head | {"format": 99}, tmp_path / "later.npz")
    with pytest.raises(WrongNetwork, match="format 99"):
        load_network(tmp_path / "later.npz")
    arrays["weights/last.bias"][0] = np.nan
    store(arrays, head, tmp_path / "broken.npz")
    with pytest.raises(WrongNetwork, match=r"last\.bias"):
        load_network(tmp_path / "broken.npz")
