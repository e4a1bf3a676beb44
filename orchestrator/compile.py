"""Compiling: a recipe and one trial's parameters become a plan for this lab."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from drivers.command import Effect
from orchestrator import recipe
from orchestrator.around import around
from orchestrator.campaign import Campaign
from orchestrator.casting import Casting
from orchestrator.compile_racks import visit_node
from orchestrator.fields import Argument, Declared
from orchestrator.lab import Lab
from orchestrator.plan import Act, AdaptiveScan, Expect, Measure, Node, Plan, Reference, Wait, acquire_act, move_act
from orchestrator.recipe_racks import StationStep
from orchestrator.recipe_step import parameters_of
from orchestrator.records import TrialRecord
from orchestrator.samples import Wafer

GOOD_SHOT = (0.8, 1.25)
"""Measured over requested pulse energy of a shot that counts; between the jitter of good shots and a dropout."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """Makes plans for one campaign in one lab."""

    steps: Sequence[recipe.Step]
    casting: Casting
    declared: Mapping[str, Declared]
    """The campaign's parameters, for what `command` steps take from them."""
    sites: Sequence[tuple[float, float]] = ()
    """Where samples lie, (x, y) in mm; trial n takes the n-th."""

    @classmethod
    def of(cls, campaign: Campaign, casting: Casting) -> Compiler:
        """Make the compiler of a campaign that `check` found to fit the lab."""
        samples = casting.lab.samples
        sites = samples.sites() if isinstance(samples, Wafer) else ()
        return cls(campaign.recipe, casting, around(campaign.data()).parameters, sites)

    @property
    def lab(self) -> Lab:
        """The lab that plans are for."""
        return self.casting.lab

    def sample(self, trial: TrialRecord) -> dict[str, Any]:
        """Say which sample a trial works on: the wafer site of its number, or a vial that the robot keeps."""
        if not isinstance(self.lab.samples, Wafer):
            return {"sample": f"sample-{trial.number:06d}", "place": {}}
        x_mm, y_mm = self._site(trial)
        return {"sample": f"site-{trial.number:06d}", "place": {"x_mm": x_mm, "y_mm": y_mm}}

    def plan(self, trial: TrialRecord) -> Plan:
        """Compile the recipe for one trial."""
        nodes: list[Node] = []
        devices: set[str] = set()
        for index, step in enumerate(self.steps):
            if lacks(step, self.declared, trial.parameters):
                continue
            if isinstance(step, StationStep):  # claims its devices for each visit by itself
                nodes.append(visit_node(step, str(index), self.casting, trial.parameters))
                continue
            cast = self.casting.devices(step)
            devices |= set(cast.values())
            nodes.extend(_COMPILE[step.kind](self, step, str(index), cast, trial))
        return Plan(nodes=tuple(nodes), devices=tuple(sorted(devices)))

    def _site(self, trial: TrialRecord) -> tuple[float, float]:
        return self.sites[trial.number - 1]

    def _anneal(self, step: recipe.Anneal, path: str, cast: Mapping[str, str], trial: TrialRecord) -> list[Node]:
        x_mm, y_mm = self._site(trial)
        laser = cast["LaserAnnealer"]
        arguments = {
            "peak_temperature_c": step.peak_temperature.at(trial.parameters),
            "dwell_us": step.dwell.at(trial.parameters),
        }
        text = f"{arguments['peak_temperature_c']:.0f} degC, {arguments['dwell_us']:.0f} us"
        low, high = GOOD_SHOT
        shot = Expect(name="energy_fraction", low=low, high=high, otherwise="the laser misfired")
        return [
            move_act(f"{path}.0", cast["Movable"], x_mm, y_mm, "to the site"),
            Act(
                path=f"{path}.1",
                label=f"anneal at {text}",
                device=laser,
                command="anneal",
                arguments=arguments,
                is_tagged=True,
            ),
            Act(path=f"{path}.2", label="read the shot back", device=laser, command="last_shot", expect=shot),
        ]

    def _reference(self, step: recipe.Reference, path: str, cast: Mapping[str, str], _trial: TrialRecord) -> list[Node]:
        acts: list[Act] = []
        places = self.lab.samples.references_mm if isinstance(self.lab.samples, Wafer) else {}
        for index, role in enumerate(sorted(places)):
            x_mm, y_mm = places[role]
            acts.append(move_act(f"{path}.{2 * index}", cast["Movable"], x_mm, y_mm, f"to the {role}"))
            acts.append(
                acquire_act(
                    f"{path}.{2 * index + 1}",
                    cast["Spectrometer"],
                    exposure_s=step.exposure_s,
                    averages=step.averages,
                    role=role,
                )
            )
        return [Reference(path=path, label="references", max_age_s=step.max_age_s, acts=tuple(acts))]

    def _photograph(
        self, _step: recipe.Photograph, path: str, cast: Mapping[str, str], trial: TrialRecord
    ) -> list[Node]:
        x_mm, y_mm = self._site(trial)
        picture = Act(
            path=f"{path}.1",
            label="picture",
            device=cast["Camera"],
            command="capture",
            is_tagged=True,
            measure=Measure(kind="image", role="picture"),
        )
        return [move_act(f"{path}.0", cast["Movable"], x_mm, y_mm, "to the site"), picture]

    def _scan(self, step: recipe.Scan, path: str, cast: Mapping[str, str], trial: TrialRecord) -> list[Node]:
        x_mm, y_mm = self._site(trial)
        nodes: list[Node] = []
        for index, offset_mm in enumerate(np.linspace(step.start_mm, step.stop_mm, step.points).round(3).tolist()):
            place = f"{path}.{index}"
            nodes.append(move_act(f"{place}.0", cast["Movable"], x_mm + offset_mm, y_mm, f"to {offset_mm:+.3f} mm"))
            nodes.append(
                acquire_act(
                    f"{place}.1",
                    cast["Spectrometer"],
                    exposure_s=step.exposure_s,
                    averages=step.averages,
                    role="film",
                    offset_mm=offset_mm,
                )
            )
        return nodes

    def _adaptive_scan(
        self, step: recipe.AdaptiveScan, path: str, cast: Mapping[str, str], trial: TrialRecord
    ) -> list[Node]:
        x_mm, y_mm = self._site(trial)
        return [
            AdaptiveScan(
                path=path,
                label="adaptive scan",
                stage=cast["Movable"],
                spectrometer=cast["Spectrometer"],
                x_mm=x_mm,
                y_mm=y_mm,
                policy=step.policy,
                half_range_mm=step.half_range_mm,
                points=step.points,
                exposure_s=step.exposure_s,
                averages=step.averages,
            )
        ]

    def _perform(self, _step: recipe.Perform, path: str, cast: Mapping[str, str], trial: TrialRecord) -> list[Node]:
        bench = cast["Bench"]
        tag = f"{trial.number:06d}.{path}"
        start = Act(
            path=f"{path}.0",
            label="start the experiment",
            device=bench,
            command="start",
            arguments={"parameters": dict(trial.parameters), "tag": tag},
        )
        collect = Act(
            path=f"{path}.1",
            label="wait for the result",
            device=bench,
            command="collect",
            arguments={"tag": tag},
            measure=Measure(kind="result", role="result"),
        )
        return [start, collect]

    def _command(self, step: recipe.Command, path: str, cast: Mapping[str, str], trial: TrialRecord) -> list[Node]:
        given = self.casting.arguments(step, self.declared)
        arguments = {
            name: value.at(trial.parameters) if isinstance(value, Argument) else value for name, value in given.items()
        }
        player = self.casting.players[cast[""]]
        reading = Measure(kind="reading", role=f"{step.device}.{step.command}")
        return [
            Act(
                path=path,
                label=f"{step.device}.{step.command}",
                device=cast[""],
                command=step.command,
                arguments=arguments,
                is_tagged="tag" in inspect.signature(getattr(player.driver, step.command)).parameters,
                measure=reading if player.specs[step.command].effect is Effect.READ else None,
            )
        ]

    def _wait(self, step: recipe.Wait, path: str, _cast: Mapping[str, str], trial: TrialRecord) -> list[Node]:
        duration_s = max(0.0, float(step.duration.at(trial.parameters)))
        return [Wait(path=path, label=f"wait {duration_s:g} s", duration_s=duration_s)]


def lacks(step: recipe.Step, declared: Mapping[str, Declared], parameters: Mapping[str, Any]) -> bool:
    """Say whether a step takes a parameter that does not exist in a trial: then there is nothing to do."""
    absent = {name for name, one in declared.items() if one.is_conditional and name not in parameters}
    return bool(absent) and not absent.isdisjoint(parameters_of(step))


_COMPILE: Mapping[str, Callable[..., list[Node]]] = {
    "anneal": Compiler._anneal,
    "reference": Compiler._reference,
    "photograph": Compiler._photograph,
    "scan": Compiler._scan,
    "adaptive_scan": Compiler._adaptive_scan,
    "perform": Compiler._perform,
    "command": Compiler._command,
    "wait": Compiler._wait,
}
