"""Thickness from R and T of simulated films: ``python benchmarks/thin_film.py --work DIR``.

The task of thicknessML (doi:10.1039/d2dd00149g): d ~ U(10, 2000) nm on glass, noise 0.5 to 1 %, offset 1 %, tilt 2 %;
networks that know 20 perovskite-like materials (transferred from generic films, or trained on the 20 alone), tested on
other materials of that family. For each seed: 20 known materials, `--materials` withheld ones, `--films` films of them.
What is in DIR is not made again, so the command can be interrupted and repeated.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from surrogate.spectra.film.families import generic, perovskite_like
from surrogate.spectra.film.fit import FilmFit
from surrogate.spectra.film.network import GuessNetwork, load_network, save_network, shipped_network
from surrogate.spectra.film.result import FilmResult, NotDetermined
from surrogate.spectra.film.simulate import WAVELENGTH_NM, Disturbance, Films, films_of, random_thickness_nm
from surrogate.spectra.film.substrate import Bench, glass
from surrogate.spectra.film.training import TrainingJob, facts_of, train

WITHHELD_SEED = 1000
GENERIC_PATH = Path(__file__).parents[1] / "surrogate" / "spectra" / "film" / "generic.npz"
ARMS = ("transferred", "generic", "scratch", "no network")
BANDS_NM = ((10, 40), (40, 100), (100, 400), (400, 1000), (1000, 2000))


def network_of(arm: str, seed: int, work: Path, steps: int) -> GuessNetwork | None:
    """Return an arm's network, training it if DIR does not have it."""
    if arm == "no network":
        return None
    if arm == "generic":
        return shipped_network("generic")
    path = work / f"{'transfer' if arm == 'transferred' else 'scratch'}_{seed}.npz"
    if not path.exists():
        is_transfer = arm == "transferred"
        job = TrainingJob(
            family="perovskite-like",
            materials=20,
            materials_seed=seed,
            seed=seed + (10 if is_transfer else 20),
            steps=steps,
            learning_rate=1e-3 if is_transfer else 2e-3,
            start_from=str(GENERIC_PATH) if is_transfer else "",
        )
        student = train(job, path.with_suffix(".checkpoint.npz"))
        save_network(path, student.network, facts_of(student, "cpu"))
    return load_network(path)


def withheld_films(family: str, seed: int, materials: int, films: int) -> Films:
    """Simulate films of withheld materials, in turn, in double precision."""
    generator = torch.Generator().manual_seed(WITHHELD_SEED + seed)
    drawn = (perovskite_like if family == "perovskite-like" else generic)(materials, generator)
    rows = torch.arange(films) % materials
    thickness = random_thickness_nm(films, generator)
    return films_of(drawn.take(rows), thickness, Bench.of(glass(), WAVELENGTH_NM), Disturbance(), generator)


def fitted(fit: FilmFit, films: Films, i: int) -> dict[str, Any]:
    """Fit one film and compare it with the truth."""
    started = time.process_time()
    spectra, rng = films.spectra[i].numpy(), np.random.default_rng(i)
    try:
        result, answered = (
            fit.fit(WAVELENGTH_NM, spectra, substrate=glass(), sigma=float(films.sigma[i]), rng=rng),
            True,
        )
    except NotDetermined as refusal:
        result, answered = refusal.result, False
    return record_of(result, answered, films, i) | {"cpu_s": time.process_time() - started}


def record_of(result: FilmResult, answered: bool, films: Films, i: int) -> dict[str, Any]:
    """Return the figures of one fit."""
    truth, (low, high) = float(films.thickness_nm[i]), result.thickness_interval_nm
    index = films.index[i].numpy()
    return {
        "film": i,
        "truth_nm": truth,
        "fit_nm": result.thickness_nm,
        "answered": answered,
        "is_covered": low <= truth <= high,
        "half_width": result.relative_half_width,
        "misfit": result.misfit,
        "n_error": float(np.median(np.abs(result.constants.n - np.real(index)))),
        "k_error": float(np.median(np.abs(result.constants.k - np.imag(index)))),
        "has_fringes": bool(np.ptp(films.clean[i, 1].numpy()[-80:]) > 0.03),
        "is_opaque": bool(films.clean[i, 1].max() < 0.05),
    }


def run_fits(name: str, fit: FilmFit, films: Films, most: int, work: Path) -> list[dict[str, Any]]:
    """Fit the films that DIR has no line for."""
    path = work / f"{name}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    records = [json.loads(line) for line in lines][:most]
    with path.open("a", encoding="utf-8") as out:
        for i in range(len(records), most):
            records.append(fitted(fit, films, i))
            out.write(json.dumps(records[-1]) + "\n")
            out.flush()
    return records


def share(values: Sequence[bool]) -> str:
    """Return a share in percent, and of how many."""
    return f"{100.0 * float(np.mean(values)):5.1f} % of {len(values)}" if len(values) else "    - of 0"


def shares(test: Callable[[dict[str, Any]], bool], records: Sequence[dict[str, Any]]) -> str:
    """Return the share of records that pass a test."""
    return share([test(record) for record in records])


def is_right(record: dict[str, Any]) -> bool:
    """Say whether the fitted thickness is within 10 %."""
    return abs(record["fit_nm"] / record["truth_nm"] - 1.0) <= 0.1


def is_answered(record: dict[str, Any]) -> bool:
    """Say whether the fit did not abstain."""
    return bool(record["answered"])


def is_covered(record: dict[str, Any]) -> bool:
    """Say whether the truth lies in the interval."""
    return bool(record["is_covered"])


def print_fits(label: str, records: list[dict[str, Any]]) -> None:
    """Print accuracy, abstention, coverage and cost of one arm, and where it fails."""
    answers = [r for r in records if r["answered"]]
    median = {key: np.median([r[key] for r in answers]) for key in ("cpu_s", "n_error", "k_error", "half_width")}
    print(f"{label}: within 10 % {shares(is_right, records)}, answered {shares(is_answered, records)}")
    print(f"  of the answers: within 10 % {shares(is_right, answers)}, in the interval {shares(is_covered, answers)}")
    print("  medians of the answers:", ", ".join(f"{key} {value:.4f}" for key, value in median.items()))
    print_failures(records)


def print_failures(records: list[dict[str, Any]]) -> None:
    """Print where the fit fails."""
    groups = {f"{a} to {b} nm": [r for r in records if a <= r["truth_nm"] < b] for a, b in BANDS_NM}
    groups["no fringes (800 to 1000 nm)"] = [r for r in records if not r["has_fringes"]]
    groups["opaque everywhere"] = [r for r in records if r["is_opaque"]]
    groups["misfit above 2"] = [r for r in records if r["misfit"] > 2.0]
    for name, group in groups.items():
        answers = [r for r in group if r["answered"]]
        print(f"  {name:28s} within 10 % {shares(is_right, group)}, answered {shares(is_answered, group)}, ", end="")
        print(f"right among answers {shares(is_right, answers)}")


def guesses(network: GuessNetwork, films: Films) -> tuple[list[bool], list[bool]]:
    """Return which first guesses are within 10 %, and which are confident (at least 0.5)."""
    said = network.guess(WAVELENGTH_NM, films.spectra.numpy())
    right = [abs(g.thickness_nm / float(t) - 1.0) <= 0.1 for g, t in zip(said, films.thickness_nm, strict=True)]
    return right, [g.confidence >= 0.5 for g in said]


def main() -> None:
    """Train what is missing, test, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--materials", type=int, default=10, help="withheld materials for each seed")
    parser.add_argument("--films", type=int, default=400, help="films for each seed")
    parser.add_argument("--fits", type=int, nargs=4, default=(400, 100, 100, 100), help=f"of them fitted, for {ARMS}")
    parser.add_argument("--generic-fits", type=int, default=100, help="generic films fitted, for each seed")
    parser.add_argument("--steps", type=int, default=300, help="training steps on the known materials")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    tests = [withheld_films("perovskite-like", s, arguments.materials, arguments.films) for s in range(arguments.seeds)]
    print_guesses(arguments, tests)
    for arm, most in zip(ARMS, arguments.fits, strict=True):
        records = []
        for seed, films in enumerate(tests):
            fit = FilmFit(network=network_of(arm, seed, arguments.work, arguments.steps))
            records += run_fits(f"{arm}_{seed}", fit, films, min(most, arguments.films), arguments.work)
        if records:
            print_fits(f"after the fit, {arm}", records)
    print_generic(arguments)


def print_guesses(arguments: argparse.Namespace, tests: list[Films]) -> None:
    """Print how good the networks are alone."""
    for arm in ARMS[:3]:
        right: list[bool] = []
        sure: list[bool] = []
        by_seed = []
        for seed, films in enumerate(tests):
            network = network_of(arm, seed, arguments.work, arguments.steps)
            r, s = guesses(network, films) if network else ([], [])
            right, sure, by_seed = right + r, sure + s, [*by_seed, f"{100.0 * float(np.mean(r)):.1f}"]
        print(f"network alone, {arm}: within 10 % {share(right)} (by seed: {', '.join(by_seed)}); ", end="")
        print(f"confident {share(sure)}, of these right {share([r for r, s in zip(right, sure, strict=True) if s])}")


def print_generic(arguments: argparse.Namespace) -> None:
    """Print how generic films fare, each of its own material."""
    records = []
    for seed in range(arguments.seeds):
        films = withheld_films("generic", seed, arguments.films, arguments.films)
        right, _ = guesses(shipped_network("generic"), films)
        print(f"generic films, seed {seed}: network alone within 10 % {share(right)}")
        fit = FilmFit(network=shipped_network("generic"))
        records += run_fits(f"generic-films_{seed}", fit, films, arguments.generic_fits, arguments.work)
    if records:
        print_fits("generic films after the fit", records)


if __name__ == "__main__":
    main()
