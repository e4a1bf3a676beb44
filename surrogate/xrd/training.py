"""Train a network that proposes phases: ``python -m surrogate.xrd.training --help``.

The job may be stopped at any moment, by a signal or by the loss of power: started again with the same settings it goes
on from its last checkpoint and ends, on a CPU, with the same weights to the bit as a job that was not interrupted.
Patterns are made as they are needed: settings, seed and step tell the whole training set.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import nn

from surrogate.model_file import store
from surrogate.xrd.generate import VERSION as GENERATOR_VERSION
from surrogate.xrd.network import PhaseNet, PhaseNetwork, Shape, start_weights
from surrogate.xrd.network_file import WrongNetwork, set_weights, stored, weight_arrays
from surrogate.xrd.training_data import Lesson, World, lesson, loss_of, training_settings
from surrogate.xrd.training_metrics import Metrics, logits_of, measured, temperatures

logger = logging.getLogger(__name__)

VERSION = 1
"""Of how a job goes: a checkpoint of another version is refused."""
HELD_OUT_SEED = 7_000_003
"""Added to the job's, for patterns that are not trained on."""
CALIBRATION_SEED = 9_000_011
MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """What determines the weights, beside the library and the strangers."""

    steps: int = 3000
    batch: int = 64
    seed: int = 0
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    levels: tuple[str, ...] = ("L1", "L2", "L1", "L2", "L3")
    """In turn, one for each batch."""
    has_strangers: bool = True
    """Whether some patterns have phases that the library does not have."""
    channels: tuple[int, ...] = (16, 24, 32, 48, 64)
    hidden: int = 256
    n_held_out: int = 256
    """Patterns that metrics are taken on, of all levels."""

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON keeps them."""
        return json.loads(json.dumps(asdict(self)))


@dataclass(slots=True)
class Student:
    """A network in training, with all that a checkpoint has to hold."""

    job: TrainingJob
    world: World
    device: torch.device
    net: PhaseNet
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    step: int = 0
    loss: float = math.nan
    history: list[dict[str, Any]] = field(default_factory=list)
    """Metrics at checkpoints."""

    def learn(self) -> None:
        """Take one step on one new batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.job.learning_rate * schedule(self.step / self.job.steps)
        level = self.job.levels[self.step % len(self.job.levels)]
        taught = self._lesson(level, self.job.batch, self.generator)
        self.loss = descend(self.net, self.optimiser, taught)
        self.step += 1

    def held_out(self, seed: int, n: int) -> list[Lesson]:
        """Make patterns of all levels that are not trained on."""
        generator = torch.Generator(self.device).manual_seed(self.job.seed + seed)
        levels = sorted(set(self.job.levels))
        return [self._lesson(level, max(1, n // len(levels)), generator) for level in levels]

    def look(self, lessons: list[Lesson]) -> Metrics:
        """Take metrics, and keep them."""
        found = measured(*logits_of(self.net, lessons))
        self.history.append({"step": self.step, **asdict(found)})
        logger.info(
            "training step=%d of=%d batch_loss=%.3f held_out_loss=%.3f recall_of_12=%.3f unknown_auroc=%.3f",
            *(self.step, self.job.steps, self.loss, found.loss, found.recall, found.unknown_auroc),
        )
        return found

    def _lesson(self, level: str, n: int, generator: torch.Generator) -> Lesson:
        settings = training_settings(level, n_known=self.world.n_known, has_strangers=self.job.has_strangers)
        return lesson(self.world, settings, n, generator)


def new_student(job: TrainingJob, world: World, device: torch.device) -> Student:
    """Return a network with the weights that a job begins with."""
    net = PhaseNet(Shape(n_phases=world.n_known, channels=job.channels, hidden=job.hidden))
    start_weights(net, torch.Generator().manual_seed(job.seed))
    net.to(device).train()
    return Student(
        job=job,
        world=world.to(device),
        device=device,
        net=net,
        optimiser=torch.optim.AdamW(net.parameters(), lr=job.learning_rate, weight_decay=job.weight_decay),
        generator=torch.Generator(device).manual_seed(job.seed),
    )


def descend(net: nn.Module, optimiser: torch.optim.Optimizer, taught: Lesson) -> float:
    """Take one step downhill, and return the loss before it."""
    loss = loss_of(net(taught.inputs), taught)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_([one for one in net.parameters() if one.requires_grad], 5.0)
    optimiser.step()
    return float(loss.detach())


def schedule(progress: float) -> float:
    """Return the learning rate's factor: a short rise, then half a cosine."""
    return min(1.0, progress / 0.03 + 0.02) * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def train(
    job: TrainingJob,
    world: World,
    checkpoint: Path,
    *,
    device: str = "cpu",
    every: int = 200,
    stop: Callable[[int], bool] = lambda step: False,
) -> Student:
    """Train to the end of a job, or until ``stop(step)``, going on from a checkpoint if there is one.

    Raises:
        WrongNetwork: The checkpoint belongs to another job or library, or to another version of this program.
    """
    student = new_student(job, world, torch.device(device))
    if checkpoint.exists():
        load_checkpoint(student, checkpoint)
    logger.info("training begins step=%d of=%d phases=%d", student.step, job.steps, student.world.n_known)
    lessons = student.held_out(HELD_OUT_SEED, job.n_held_out)
    while student.step < job.steps and not stop(student.step):
        student.learn()
        if student.step % every == 0 or student.step == job.steps:
            student.look(lessons)
            save_checkpoint(student, checkpoint)
    save_checkpoint(student, checkpoint)
    return student


def identity(student: Student) -> dict[str, Any]:
    """Return what a checkpoint must share with a job that goes on from it."""
    return {
        "version": VERSION,
        "generator_version": GENERATOR_VERSION,
        "job": student.job.as_dict(),
        "library_key": student.world.library_key,
        "phases": list(student.world.names),
        "strangers": list(student.world.stranger_keys),
        "wavelengths_angstrom": list(student.world.atlas.radiation.wavelength_angstrom),
        "device": student.device.type,
    }


def save_checkpoint(student: Student, path: Path) -> None:
    """Write everything; a crash leaves the old checkpoint or the new one, never a part."""
    arrays: dict[str, NDArray[Any]] = {f"weights/{k}": v for k, v in weight_arrays(student.net).items()}
    for name, parameter in student.net.named_parameters():
        state = student.optimiser.state.get(parameter, {})
        arrays |= {f"{moment}/{name}": state[moment].cpu().numpy() for moment in MOMENTS if moment in state}
    arrays["generator"] = student.generator.get_state().cpu().numpy()
    head = {
        "identity": identity(student),
        "step": student.step,
        "loss": student.loss if math.isfinite(student.loss) else None,
        "history": student.history,
        "torch": str(torch.__version__),
    }
    store(arrays, head, path)
    # for people; the program reads what is inside of the arrays' file
    part = path.with_name(f".{path.stem}.json.part")
    part.write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path.with_suffix(".json"))


def load_checkpoint(student: Student, path: Path) -> None:
    """Go on from a checkpoint.

    Raises:
        WrongNetwork: It belongs to another job or library, or to another version of this program.
    """
    arrays, head = stored(path)
    if differing := list(_differences(identity(student), head.get("identity", {}))):
        raise WrongNetwork(
            f"{path} belongs to another job ({'; '.join(differing)}): give the settings that it was begun with, or "
            "another folder"
        )
    if head["torch"] != torch.__version__:
        logger.warning("checkpoint torch=%s here=%s: last bits may differ", head["torch"], torch.__version__)
    weights = {k.removeprefix("weights/"): v for k, v in arrays.items() if k.startswith("weights/")}
    set_weights(student.net, weights)
    student.step, student.history = int(head["step"]), list(head["history"])
    student.loss = math.nan if head["loss"] is None else float(head["loss"])
    student.generator.set_state(torch.as_tensor(arrays["generator"]))
    for name, parameter in student.net.named_parameters():
        if f"{MOMENTS[0]}/{name}" in arrays:
            moments = {one: torch.as_tensor(arrays[f"{one}/{name}"]).to(student.device) for one in MOMENTS}
            student.optimiser.state[parameter] = {"step": torch.tensor(float(student.step)), **moments}


def _differences(wanted: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """Say where a checkpoint's identity is another one; of settings, how."""
    for name, value in wanted.items():
        there = found.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            settings = cast("dict[str, Any]", value)
            yield from (f"{k}: {there.get(k)} there, {one} here" for k, one in settings.items() if there.get(k) != one)
        elif there != value:
            yield f"{name}: not the same"


def finished(student: Student, *, n_calibration: int = 2000) -> PhaseNetwork:
    """Return the network of a job, with temperatures from patterns that were neither trained on nor measured on."""
    found, truth = logits_of(student.net, student.held_out(CALIBRATION_SEED, n_calibration))
    temperature, unknown = temperatures(found, truth)
    calibrated = measured(
        *logits_of(student.net, student.held_out(HELD_OUT_SEED, student.job.n_held_out)), (temperature, unknown)
    )
    world = student.world
    facts = {**identity(student), "step": student.step, "torch": str(torch.__version__)}
    facts["phase_keys"] = {phase.name: phase.key for phase in world.atlas.phases[: world.n_known]}
    net = PhaseNet(student.net.shape)
    set_weights(net, weight_arrays(student.net))
    return PhaseNetwork(
        net=net.eval(),
        names=student.world.names,
        library_key=student.world.library_key,
        wavelength_angstrom=student.world.atlas.radiation.wavelength_angstrom[0],
        temperature=temperature,
        unknown_temperature=unknown,
        facts=facts | {"held_out": _finite(asdict(calibrated)), "patterns": student.step * student.job.batch},
    )


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with None for what is no number, as JSON wants it."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


if __name__ == "__main__":
    from surrogate.xrd.training_command import main

    main()
