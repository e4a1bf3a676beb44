"""Train the network on simulated films: ``python -m surrogate.spectra.film.training --help``.

The job writes a checkpoint of arrays and JSON now and then and at the end; started again with the same settings it goes
on from there, and ends with the same weights as if it had not been interrupted. Spectra are made as they are needed.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surrogate.spectra.film.dispersion import energy_ev
from surrogate.spectra.film.families import FAMILIES
from surrogate.spectra.film.network import (
    ThicknessNet,
    load_network,
    resampling,
    save_network,
    soft_targets,
    start_weights,
    weight_arrays,
    with_weights,
)
from surrogate.spectra.film.simulate import WAVELENGTH_NM, Disturbance, Films, films_of, random_thickness_nm
from surrogate.spectra.film.substrate import Bench, glass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """What determines the weights, and nothing else does (but the device's rounding)."""

    family: str = "generic"
    materials: int | None = None
    """Number of materials that are known; None: new ones in every batch."""
    materials_seed: int = 0
    """Which ones, where their number is given."""
    steps: int = 2000
    batch: int = 512
    learning_rate: float = 2e-3
    seed: int = 0
    start_from: str = ""
    """Weights to start from; empty: random ones."""
    thin_share: float = 0.15
    """Share of films whose thickness is drawn uniformly in its logarithm."""
    disturbance: Disturbance = field(default_factory=Disturbance)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON knows them."""
        return asdict(self)


class Teacher:
    """Make batches of simulated films."""

    def __init__(self, job: TrainingJob, device: torch.device) -> None:
        self._job = job
        self._bench = Bench.of(glass(), WAVELENGTH_NM, torch.float32).to(device)
        self._energy = energy_ev(torch.tensor(WAVELENGTH_NM))
        self._resampling = torch.as_tensor(resampling(WAVELENGTH_NM), dtype=torch.float32, device=device)
        self._known = self._known_permittivity()

    def batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return ``b x 2 x 192`` spectra and ``b x 192`` target probabilities."""
        films = self.films(self._job.batch, generator)
        return films.spectra @ self._resampling, soft_targets(films.thickness_nm).to(films.spectra)

    def films(self, count: int, generator: torch.Generator) -> Films:
        """Simulate films of the job's materials."""
        eps = self._permittivity(count, generator)
        thickness = random_thickness_nm(count, generator, thin_share=self._job.thin_share)
        return films_of(eps, thickness, self._bench, self._job.disturbance, generator)

    def _known_permittivity(self) -> Tensor | None:
        if self._job.materials is None:
            return None
        generator = torch.Generator().manual_seed(self._job.materials_seed)
        return FAMILIES[self._job.family](self._job.materials, generator).permittivity(self._energy)

    def _permittivity(self, count: int, generator: torch.Generator) -> Tensor:
        if self._known is None:
            return FAMILIES[self._job.family](count, generator).permittivity(self._energy)
        return _mixtures(self._known, count, generator)


def _mixtures(known: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return ``count x n`` permittivities: half of them known ones, half averages of two.

    An average of permittivities obeys the Kramers-Kronig relations; it keeps the network from learning a few materials
    by heart.
    """
    pairs = torch.randint(len(known), (2, count), generator=generator)
    share = torch.rand(count, generator=generator, dtype=torch.float64)
    is_mixed = torch.rand(count, generator=generator, dtype=torch.float64) < 0.5
    weight = torch.where(is_mixed, share, torch.ones_like(share)).unsqueeze(-1)
    return weight * known[pairs[0]] + (1.0 - weight) * known[pairs[1]]


class Student:
    """A network in training, with all that a checkpoint has to hold."""

    def __init__(self, job: TrainingJob, device: torch.device) -> None:
        self.job, self.device, self.step = job, device, 0
        self.generator = torch.Generator().manual_seed(job.seed)
        self.network = _first_network(job, self.generator).to(device).train()
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=job.learning_rate)
        self.teacher = Teacher(job, device)
        self.loss = math.nan

    def learn(self) -> None:
        """Take one step on one new batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.job.learning_rate * _schedule(self.step / self.job.steps)
        spectra, targets = self.teacher.batch(self.generator)
        loss = nn.functional.cross_entropy(self.network(spectra), targets)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self.loss = loss.item()

    def save(self, path: Path) -> None:
        """Write a checkpoint; a crash leaves the old one or the new one, never a part."""
        arrays: dict[str, Any] = {f"weights/{k}": v for k, v in weight_arrays(self.network).items()}
        for name, parameter in self.network.named_parameters():
            state = self.optimiser.state.get(parameter, {})
            for moment in ("exp_avg", "exp_avg_sq"):
                if moment in state:
                    arrays[f"{moment}/{name}"] = state[moment].cpu().numpy()
        arrays["generator"] = self.generator.get_state().numpy()
        arrays["progress"] = np.array(json.dumps({"step": self.step, "job": self.job.as_dict()}))
        part = path.with_suffix(".part.npz")
        np.savez(part, allow_pickle=False, **arrays)
        os.replace(part, path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            ValueError: It belongs to a job with other settings.
        """
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        progress = json.loads(str(arrays["progress"]))
        if progress["job"] != json.loads(json.dumps(self.job.as_dict())):
            raise ValueError(f"{path} belongs to a job with other settings; give another path, or those settings")
        weights = {k.removeprefix("weights/"): v for k, v in arrays.items() if k.startswith("weights/")}
        self.network.load_state_dict(with_weights(weights).state_dict())
        self.step = int(progress["step"])
        self.generator.set_state(torch.as_tensor(arrays["generator"]))
        if self.step:
            self._load_moments(arrays)

    def _load_moments(self, arrays: dict[str, Any]) -> None:
        for name, parameter in self.network.named_parameters():
            moments = {m: torch.as_tensor(arrays[f"{m}/{name}"]).to(self.device) for m in ("exp_avg", "exp_avg_sq")}
            self.optimiser.state[parameter] = {"step": torch.tensor(float(self.step)), **moments}


def _first_network(job: TrainingJob, generator: torch.Generator) -> ThicknessNet:
    if job.start_from:
        return load_network(Path(job.start_from)).network
    network = ThicknessNet()
    start_weights(network, generator)
    return network


def _schedule(progress: float) -> float:
    """Return the learning rate's factor: a short rise, then half a cosine."""
    return min(1.0, progress / 0.03 + 0.02) * 0.5 * (1.0 + math.cos(math.pi * progress))


def train(
    job: TrainingJob,
    checkpoint: Path,
    *,
    device: str = "cpu",
    every: int = 200,
    stop: Callable[[int], bool] = lambda step: False,
) -> Student:
    """Train to the end of the job, or until `stop(step)`, going on from a checkpoint if there is one.

    Raises:
        ValueError: The checkpoint belongs to another job.
    """
    student = Student(job, torch.device(device))
    if checkpoint.exists():
        student.load(checkpoint)
    while student.step < job.steps and not stop(student.step):
        student.learn()
        if student.step % every == 0:
            student.save(checkpoint)
            logger.info("training step=%d of=%d loss=%.4f", student.step, job.steps, student.loss)
    student.save(checkpoint)
    return student


def facts_of(student: Student, device: str) -> dict[str, Any]:
    """Return how the weights were made."""
    return {
        "task": "thickness of one film in air, from R and T at normal incidence",
        "substrate": "soda-lime glass, 1 mm, incoherent",
        "job": student.job.as_dict(),
        "films_seen": student.step * student.job.batch,
        "last_loss": round(student.loss, 4),
        "device": device,
        "torch": str(torch.__version__),
    }


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m surrogate.spectra.film.training", description=__doc__)
    job = TrainingJob()
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.npz, and .json beside it)")
    parser.add_argument("--family", choices=sorted(FAMILIES), default=job.family)
    parser.add_argument("--materials", type=int, default=None, help="number of known materials; else new ones always")
    parser.add_argument("--materials-seed", type=int, default=job.materials_seed)
    parser.add_argument("--steps", type=int, default=job.steps)
    parser.add_argument("--batch", type=int, default=job.batch)
    parser.add_argument("--learning-rate", type=float, default=job.learning_rate)
    parser.add_argument("--seed", type=int, default=job.seed)
    parser.add_argument("--start-from", default="", help="weights to start from")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a training job from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments = _arguments(argv)
    names = ("family", "materials", "materials_seed", "steps", "batch", "learning_rate", "seed", "start_from")
    job = replace(TrainingJob(), **{name: getattr(arguments, name) for name in names})
    checkpoint = arguments.out.with_suffix(".checkpoint.npz")
    student = train(job, checkpoint, device=arguments.device, every=arguments.every)
    save_network(arguments.out, student.network, facts_of(student, arguments.device))


if __name__ == "__main__":
    main()
