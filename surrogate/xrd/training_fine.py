"""Fine-tune a network on what a campaign has adjudicated, beside generated patterns that keep what it knew.

Labels are the posterior probabilities of an identification (or a person's verdict), so that a doubtful pattern teaches
doubt. At least half of every batch is generated anew, as the network was trained; only the layers after the
convolutions learn, unless all are asked for, and normalisation stays as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from surrogate.xrd.network import PhaseNet, PhaseNetwork
from surrogate.xrd.network_file import WrongNetwork
from surrogate.xrd.pattern import Pattern
from surrogate.xrd.training import descend, schedule
from surrogate.xrd.training_data import Lesson, World, lesson, training_settings
from surrogate.xrd.training_metrics import logits_of, temperatures

Scope = Literal["head", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudicated:
    """A pattern of which it is known, more or less, what it holds."""

    pattern: Pattern
    probability: Mapping[str, float]
    """By the phase's name; phases that are not named are held to be absent."""
    unknown_probability: float = 0.0
    weight_fraction: Mapping[str, float] = field(default_factory=dict)
    """By the phase's name; empty: not known, and not taught."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Generated patterns beside the campaign's."""

    world: World
    seed: int
    share: float = 0.875
    """Of each batch; at least one half. With one half, a network has been seen to expect the campaign's phases in all
    patterns."""
    levels: tuple[str, ...] = ("L1", "L2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How far to go."""

    steps: int = 200
    batch: int = 32
    learning_rate: float = 5e-4
    scope: Scope = "head"
    n_calibration: int = 500
    """Generated patterns that temperatures are fitted on afterwards."""


def fine_tune(
    network: PhaseNetwork, adjudicated: Sequence[Adjudicated], *, replay: Replay, tuning: Tuning = Tuning()
) -> PhaseNetwork:
    """Return a network that has also learnt from adjudicated patterns; the one given is not changed.

    Raises:
        WrongNetwork: The replay's library, or a pattern's wavelength, is not the network's.
        ValueError: Nothing to learn from, too little replay, or a label that is none.
    """
    _check(network, adjudicated, replay)
    net = copy.deepcopy(network.net).eval()
    learning = _learning(net, tuning.scope)
    optimiser = torch.optim.AdamW(learning, lr=tuning.learning_rate)
    own = _taught(network, adjudicated)
    generator = torch.Generator().manual_seed(replay.seed)
    n_replayed = max(round(replay.share * tuning.batch), (tuning.batch + 1) // 2)
    for step in range(tuning.steps):
        for group in optimiser.param_groups:
            group["lr"] = tuning.learning_rate * schedule(step / tuning.steps)
        picked = torch.randint(len(own.inputs), (max(tuning.batch - n_replayed, 1),), generator=generator)
        descend(net, optimiser, _together(_rows(own, picked), _replayed(replay, n_replayed, step, generator)))
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    each = tuning.n_calibration // len(replay.levels)
    calibration = [_replayed(replay, each, level, generator) for level in range(len(replay.levels))]
    temperature, unknown = temperatures(*logits_of(net, calibration))
    told = {
        "patterns": len(adjudicated),
        "steps": tuning.steps,
        "scope": tuning.scope,
        "replay_seed": replay.seed,
        "replay_share": replay.share,
    }
    before = list(network.facts.get("fine_tuned", []))
    return replace(
        network,
        net=net,
        temperature=temperature,
        unknown_temperature=unknown,
        facts={**network.facts, "fine_tuned": [*before, told]},
    )


def _check(network: PhaseNetwork, adjudicated: Sequence[Adjudicated], replay: Replay) -> None:
    if not adjudicated:
        raise ValueError("no adjudicated pattern to learn from")
    if replay.share < 0.5:
        raise ValueError(f"a share of {replay.share:g} of replay lets the network forget; give at least 0.5")
    if replay.world.library_key != network.library_key or replay.world.names != network.names:
        raise WrongNetwork(
            f"the replay is made from a library with key {replay.world.library_key[:12]}, the network belongs to "
            f"{network.library_key[:12]} (or its phases stand in another order: see PhaseNetwork.belonging_to)"
        )
    for one in adjudicated:
        _check_labels(network, one)


def _check_labels(network: PhaseNetwork, one: Adjudicated) -> None:
    if unknown := sorted({*one.probability, *one.weight_fraction} - set(network.names)):
        raise ValueError(f"the network's library has no phase {', '.join(unknown)}")
    values = [*one.probability.values(), *one.weight_fraction.values(), one.unknown_probability]
    if wrong := [value for value in values if not 0.0 <= value <= 1.0]:
        raise ValueError(f"probabilities and weight fractions lie between 0 and 1, not at {wrong[0]:g}")


def _learning(net: PhaseNet, scope: Scope) -> list[torch.nn.Parameter]:
    """Return the parameters that learn; the others are frozen."""
    if scope == "head":
        net.requires_grad_(False)
        net.head.requires_grad_(True)
        net.last.requires_grad_(True)
    return [parameter for parameter in net.parameters() if parameter.requires_grad]


def _taught(network: PhaseNetwork, adjudicated: Sequence[Adjudicated]) -> Lesson:
    names = network.names
    return Lesson(
        inputs=torch.cat([network.input_of(one.pattern) for one in adjudicated]),
        present=torch.tensor(
            [[*(one.probability.get(name, 0.0) for name in names), one.unknown_probability] for one in adjudicated]
        ),
        share=torch.tensor([[*(one.weight_fraction.get(name, 0.0) for name in names), 0.0] for one in adjudicated]),
    )


def _replayed(replay: Replay, n: int, step: int, generator: torch.Generator) -> Lesson:
    level = replay.levels[step % len(replay.levels)]
    settings = training_settings(level, n_known=replay.world.n_known, has_strangers=True)
    return lesson(replay.world, settings, n, generator)


def _rows(taught: Lesson, picked: Tensor) -> Lesson:
    return Lesson(inputs=taught.inputs[picked], present=taught.present[picked], share=taught.share[picked])


def _together(first: Lesson, second: Lesson) -> Lesson:
    pairs = ((getattr(first, name), getattr(second, name)) for name in Lesson.__slots__)
    return Lesson(**dict(zip(Lesson.__slots__, map(torch.cat, pairs), strict=True)))


if __name__ == "__main__":
    from surrogate.xrd.training_fine_command import main

    main()
