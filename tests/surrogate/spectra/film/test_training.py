from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from surrogate.spectra.film import training
from surrogate.spectra.film.families import generic, perovskite_like
from surrogate.spectra.film.network import (
    BINS,
    GRID_PER_UM,
    THICKNESS_NM,
    Guess,
    load_network,
    resampling,
    shipped_network,
    soft_targets,
    weight_arrays,
)
from surrogate.spectra.film.simulate import WAVELENGTH_NM, Disturbance, films_of, random_thickness_nm
from surrogate.spectra.film.substrate import Bench, glass
from surrogate.spectra.film.training import Teacher, TrainingJob, train

TINY = TrainingJob(steps=6, batch=8, seed=3)


def weights(student: training.Student) -> np.ndarray:
    return np.concatenate([value.ravel() for value in weight_arrays(student.network).values()])


@pytest.mark.parametrize("job", [TINY, TrainingJob(steps=6, batch=8, family="perovskite-like", materials=3)])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path, job: TrainingJob) -> None:
    whole = train(job, tmp_path / "whole.npz")
    train(job, tmp_path / "parts.npz", stop=lambda step: step == 0)
    train(job, tmp_path / "parts.npz", stop=lambda step: step == 4)
    resumed = train(job, tmp_path / "parts.npz", every=1)
    assert resumed.step == whole.step == 6
    np.testing.assert_array_equal(weights(resumed), weights(whole))


def test_another_seed_gives_another_network(tmp_path: Path) -> None:
    first = train(TINY, tmp_path / "a.npz")
    second = train(TrainingJob(steps=6, batch=8, seed=4), tmp_path / "b.npz")
    assert not np.array_equal(weights(first), weights(second))


def test_a_checkpoint_of_another_job_is_refused(tmp_path: Path) -> None:
    train(TINY, tmp_path / "a.npz", stop=lambda step: step == 1)
    with pytest.raises(ValueError, match="other settings"):
        train(TrainingJob(steps=7, batch=8, seed=3), tmp_path / "a.npz")


def test_the_command_writes_weights_and_how_they_were_made(tmp_path: Path) -> None:
    out = tmp_path / "net.npz"
    training.main(["--out", str(out), "--steps", "2", "--batch", "4", "--seed", "5"])
    tuned = [
        "--family",
        "perovskite-like",
        "--materials",
        "2",
        "--start-from",
        str(out),
        "--steps",
        "1",
        "--batch",
        "4",
    ]
    training.main(["--out", str(tmp_path / "tuned.npz"), *tuned])
    network = load_network(tmp_path / "tuned.npz")
    assert network.facts["job"]["materials"] == 2
    assert network.facts["job"]["start_from"] == str(out)
    assert load_network(out).facts["films_seen"] == 8


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="another network"):
        load_network(tmp_path / "other.npz")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_network(tmp_path / "evil.npz")


def test_known_materials_are_all_that_a_teacher_uses() -> None:
    job = TrainingJob(family="perovskite-like", materials=1, materials_seed=7, batch=4)
    films = Teacher(job, torch.device("cpu")).films(4, torch.Generator().manual_seed(0))
    torch.testing.assert_close(films.index, films.index[:1].expand(4, -1))


@pytest.mark.parametrize(("name", "least"), [("generic", 0.85), ("perovskite_like", 0.9)])
def test_shipped_networks_know_films_that_they_have_not_seen(name: str, least: float) -> None:
    network = shipped_network(name)
    generator = torch.Generator().manual_seed(90210)
    materials = (generic if name == "generic" else perovskite_like)(300, generator)
    thickness = random_thickness_nm(300, generator, low=100.0)
    films = films_of(materials, thickness, Bench.of(glass(), WAVELENGTH_NM), Disturbance(), generator)
    guesses = network.guess(WAVELENGTH_NM, films.spectra.numpy())
    error = np.array([g.thickness_nm for g in guesses]) / thickness.numpy() - 1.0
    assert np.mean(np.abs(error) <= 0.1) >= least
    assert network.facts["job"]["seed"] >= 0
    assert network.facts["job"]["disturbance"]["tilt"] == 0.02


def test_resampling_keeps_straight_lines_and_needs_the_whole_range() -> None:
    for step in (0.5, 2.5, 5.0):
        wavelength = np.arange(345.0, 1005.0, step)
        np.testing.assert_allclose((1000.0 / wavelength) @ resampling(wavelength), GRID_PER_UM, atol=2e-3)
    with pytest.raises(ValueError, match="the network needs 350 to 1000 nm"):
        resampling(np.linspace(400.0, 1000.0, 100))


def test_targets_are_probabilities_about_the_truth() -> None:
    targets = soft_targets(torch.tensor([8.0, 123.0, 2000.0]))
    torch.testing.assert_close(targets.sum(-1), torch.ones(3))
    np.testing.assert_allclose(THICKNESS_NM[targets.argmax(-1).numpy()], [8.0, 123.0, 2000.0], rtol=0.02)


def test_a_guess_lists_thicknesses_that_are_apart() -> None:
    probability = np.zeros(BINS)
    probability[[50, 51, 120]] = 0.3, 0.3, 0.4
    guess = Guess(probability=probability)
    assert guess.thickness_nm == pytest.approx(THICKNESS_NM[50], rel=0.1)
    assert guess.confidence == pytest.approx(0.6)
    first, second, *rest = guess.modes()
    assert first == pytest.approx(THICKNESS_NM[50], rel=0.1)
    assert second == pytest.approx(THICKNESS_NM[120], rel=0.1)
    assert not rest
    assert guess.support(float(THICKNESS_NM[120])) == pytest.approx(0.4)
    assert guess.support(10.0) == 0.0
