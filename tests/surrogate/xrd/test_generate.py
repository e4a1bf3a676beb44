from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from surrogate.xrd.atlas import Atlas, make_atlas
from surrogate.xrd.generate import LEVELS, GeneratorSettings, generate
from surrogate.xrd.generate_background import Background
from surrogate.xrd.generate_draw import drawn
from surrogate.xrd.grid import Grid
from surrogate.xrd.lattice import reciprocal_metric, strained_metric
from surrogate.xrd.library import embedded_library
from surrogate.xrd.model import profiles

NAMES = ("rutile", "anatase", "corundum", "quartz", "halite", "baddeleyite", "periclase", "fluorite")
COARSE = Grid(start_deg=10.0, step_deg=0.04, n=1751)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return make_atlas(embedded_library(NAMES).phases, highest_deg=90.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_a_seed_gives_the_same_patterns_and_another_gives_others(atlas: Atlas, level: str) -> None:
    settings = replace(LEVELS[level], grid=COARSE)
    first, again, other = (generate(atlas, settings, 5, seeded(s), n_known=6) for s in (3, 3, 4))
    assert torch.equal(first.counts, again.counts)
    assert torch.equal(first.weights, again.weights)
    assert torch.equal(first.parameters.strain, again.parameters.strain)
    assert not torch.equal(first.counts, other.counts)


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_mixtures_are_as_the_settings_say(atlas: Atlas, level: str) -> None:
    settings = replace(LEVELS[level], grid=COARSE)
    batch = generate(atlas, settings, 64, seeded())
    weights = batch.weights.numpy()
    np.testing.assert_allclose(weights.sum(1) + batch.stranger_weight.numpy(), 1.0, atol=1e-9)
    assert weights[weights > 0].min() >= settings.least_weight - 1e-9
    n_phases = (weights > 0).sum(1)
    assert set(n_phases) == {1, 2, 3, 4}
    assert bool((batch.stranger_weight > 0).any()) == (settings.n_strangers[1] > 0)


def test_counts_are_whole_and_as_high_as_the_settings_say(atlas: Atlas) -> None:
    counts = generate(atlas, replace(LEVELS["L1"], grid=COARSE), 32, seeded()).counts.numpy()
    assert counts.shape == (32, COARSE.n)
    assert np.array_equal(counts, np.round(counts))
    assert counts.min() >= 0.0
    np.testing.assert_allclose(counts.max(1), 2e4, rtol=0.2)


def test_counts_scatter_as_those_of_poisson(atlas: Atlas) -> None:
    # halite has no line below 27 deg
    only = make_atlas(embedded_library(["halite"]).phases, highest_deg=90.0)
    flat = replace(LEVELS["L0"], n_phases=(1, 1), grid=Grid(start_deg=12.0, step_deg=0.02, n=1000))
    counts = generate(only, replace(flat, grid=replace(flat.grid, n=1000)), 40, seeded()).counts[:, :500].numpy()
    variance = counts.var(axis=1, ddof=1) / counts.mean(axis=1)
    assert variance.mean() == pytest.approx(1.0, abs=0.05)


def test_patterns_are_those_of_the_model_that_is_fitted(atlas: Atlas) -> None:
    settings = LEVELS["L2"]
    parameters = generate(atlas, settings, 6, seeded()).parameters
    scale = torch.linspace(0.5, 2.0, len(parameters.phase), dtype=torch.float64)
    each = profiles(atlas, settings.grid, parameters, with_derivatives=False).profile * scale[:, None]
    whole = torch.zeros(6, settings.grid.n, dtype=torch.float64).index_add(0, parameters.row, each)
    found = drawn(atlas, settings.grid, parameters, scale).to(torch.float64)
    # windows end at other points: far tails of a peak differ
    assert float(((found - whole).abs() / whole.amax(1, keepdim=True)).max()) < 6e-3
    # and over all nothing is lost
    torch.testing.assert_close(found.sum(1), whole.sum(1), rtol=0.02, atol=0.0)


@pytest.mark.parametrize("name", NAMES)
def test_edges_are_strained_by_no_more_than_the_settings_allow(name: str) -> None:
    library = embedded_library([name])
    atlas = make_atlas(library.phases, highest_deg=90.0)
    settings = replace(LEVELS["L2"], n_phases=(1, 1), grid=COARSE)
    strains = generate(atlas, settings, 50, seeded()).parameters.strain.numpy()
    phase = library.phases[0]
    n = int((atlas.strain_sd[0] > 0).sum())
    edges = np.array([np.sqrt(np.diag(strained_metric(phase, one[:n]))) for one in strains])
    change = np.abs(edges / np.sqrt(np.diag(reciprocal_metric(phase.cell))) - 1.0)
    assert change.max() < 1.02 * settings.strain
    assert change.max() > 0.5 * settings.strain


def test_strangers_are_other_phases_or_have_other_cells(atlas: Atlas) -> None:
    settings = replace(LEVELS["L3"], n_strangers=(1, 1), grid=COARSE)
    batch = generate(atlas, settings, 100, seeded(), n_known=6)
    phase = batch.parameters.phase[batch.is_stranger]
    assert batch.weights.shape == (100, 6)
    assert bool((batch.stranger_weight >= settings.stranger_weight[0] - 1e-9).all())
    assert 20 < int((phase >= 6).sum()) < 80
    inside = batch.is_stranger & (batch.parameters.phase < 6)
    part = batch.parameters.strain[inside] / atlas.isotropic[batch.parameters.phase[inside]].clamp(min=1e-9)
    free = atlas.isotropic[batch.parameters.phase[inside]] > 0.5
    mean = (part * free).sum(1) / free.sum(1)
    assert float(mean.abs().min()) > 2.0 * (settings.stranger_strain[0] - settings.strain) - 1e-9


def test_more_phases_than_the_library_has_are_refused(atlas: Atlas) -> None:
    with pytest.raises(ValueError, match="up to 4 phases cannot be made from 3 of 8"):
        generate(atlas, LEVELS["L1"], 2, seeded(), n_known=3)


def test_backgrounds_stay_above_zero_and_humps_below_their_height(atlas: Atlas) -> None:
    settings = GeneratorSettings(
        grid=COARSE, background=Background(level=(0.1, 0.1), degree=6, hump=(0.4, 0.4), drift=0.05)
    )
    counts = generate(atlas, settings, 50, seeded()).counts.numpy() / settings.peak_counts[0]
    assert np.quantile(counts, 0.001) > 0.03
    assert np.median(counts, axis=1).max() < 0.1 * 2.1 + 0.4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_draws_what_the_model_draws(atlas: Atlas) -> None:
    device = torch.device("cuda")
    moved = atlas.to(device)
    parameters = generate(moved, LEVELS["L1"], 6, torch.Generator(device).manual_seed(0)).parameters
    ones = torch.ones(len(parameters.phase), dtype=torch.float64, device=device)
    found = drawn(moved, LEVELS["L1"].grid, parameters, ones).cpu()
    at_home = parameters.with_(**{name: getattr(parameters, name).cpu() for name in type(parameters).__slots__})
    torch.testing.assert_close(found, drawn(atlas, LEVELS["L1"].grid, at_home, ones.cpu()), rtol=1e-3, atol=1e-3)
