"""What a policy is: a pure function from what is known to what to try next.

A policy keeps nothing between calls that changes an answer (a cache of a fit is fine), so that a planner that was
rebuilt after a crash proposes the same points. All chance comes from the generator that is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from planner.errors import BadOption, did_you_mean
from planner.objective import Objective
from planner.people import NOTHING_SAID, Said
from planner.proposal import Observation, Prediction, Proposal, RegionPosterior, Value
from planner.within import Within, kept_rows

if TYPE_CHECKING:
    from planner.doubts import Doubted
    from planner.prospect import Prospect
    from planner.space import SearchSpace

POLICIES: dict[str, str] = {
    "auto": "planner.policies.bayes:Auto",
    "logei": "planner.policies.bayes:LogEI",
    "fidelities": "planner.policies.fidelities:Fidelities",
    "integrated_variance": "planner.policies.active_learning:IntegratedVariance",
    "uncertainty": "planner.policies.active_learning:Uncertainty",
    "random": "planner.policies.space_filling:Random",
    "sobol": "planner.policies.space_filling:Sobol",
    "grid": "planner.policies.space_filling:Grid",
    "sara": "planner.policies.sara:Sara",
    "ax": "planner.policies.ax_adapter:Ax",
    "baybe": "planner.policies.baybe_adapter:BayBE",
    "screening": "planner.policies.screening:Screening",
    "cameo": "planner.policies.phase_map:Cameo",
    "mobile_chemist": "planner.policies.mobile_chemist:MobileChemist",
    "soft_constraints": "planner.policies.soft_constraints:SoftConstraints",
    "transfer": "planner.policies.transfer:Transfer",
    "reactions": "planner.policies.reactions:Reactions",
    "level_set": "planner.policies.level_set:LevelSet",
}
"""Policies by name; the module is imported when the policy is first named (torch is slow to load)."""

WITH_SOURCES = ("transfer",)
"""Those that have the option `sources`: results from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerData:
    """All that a policy may know when it is asked."""

    space: SearchSpace
    objectives: tuple[Objective, ...]
    observations: tuple[Observation, ...]
    """Everything told, in the order of telling; also failures, and points outside the space."""
    pending: tuple[Proposal, ...] = ()
    """Proposed and not yet told or discarded, in the order of proposing."""
    finished: tuple[Proposal, ...] = ()
    """Proposals whose results were told. Their points are taken even where observations lie elsewhere (a stripe)."""
    ask_index: int = 0
    """How many asks came before this one."""
    seed: int = 0
    """The planner's seed, for what must stay the same from ask to ask (the scrambling of a sequence)."""

    said: Said = NOTHING_SAID
    """What people have said; forbidden areas are left out of the space already."""
    taken: frozenset[bytes] | None = None
    """Keys of all these points, where the planner has them at hand; see `taken_keys`."""
    within: Within | None = None
    """What this ask is restricted to; the space is that part already."""

    whole: SearchSpace | None = None
    """Where this ask is restricted to points: the space that they are of."""

    @property
    def everywhere(self) -> SearchSpace:
        """The space that is to be known: which points may be proposed this time has no part in it."""
        return self.space if self.whole is None else self.whole

    def keeps(self, rows: np.ndarray) -> np.ndarray:
        """Say which rows (`n x p`) keep to what this ask is restricted to (`n`, bool)."""
        if self.within is None:
            return np.ones(len(rows), dtype=bool)
        return kept_rows(self.space, self.within, rows)

    def are_open(self, rows: np.ndarray) -> np.ndarray:
        """Say which rows (`n x p`) of the whole space may be proposed now (`n`, bool).

        Those are not taken, and lie in the part that this ask is held to: by values that a batch shares, by what people
        forbade, by time. Policies that list their points once need it, as they do not draw from `space`.
        """
        taken = self.taken_keys()
        untried = np.array([key not in taken for key in self.space.keys(rows)], dtype=bool)
        return untried & self.space.region.feasible(rows)

    def taken_keys(self) -> frozenset[bytes]:
        """Return the keys (`SearchSpace.keys`) of all points that must not be proposed again."""
        return self.taken if self.taken is not None else frozenset(self.space.keys(self.taken_rows()))

    def taken_rows(self) -> np.ndarray:
        """Return every point that must not be proposed again, as rows (`n x p`)."""
        return self.space.rows([item.parameters for item in (*self.observations, *self.finished, *self.pending)])

    def tried_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the recipes that were tried, as rows (`n x p`), and whether each gave a result (`n`, bool)."""
        recipes = {proposal.id: proposal.parameters for proposal in self.finished}
        outcomes: dict[object, tuple[Mapping[str, Value], bool]] = {}
        for number, observation in enumerate(self.observations):
            recipe = recipes.get(observation.proposal_id or "", observation.parameters)
            key = observation.proposal_id if observation.proposal_id in recipes else number
            had_result = key in outcomes and outcomes[key][1]
            outcomes[key] = (recipe, had_result or observation.failure is None)
        rows = self.space.rows([recipe for recipe, _ in outcomes.values()])
        return rows, np.array([is_result for _, is_result in outcomes.values()], dtype=bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A point that a policy wants to try, and why."""

    parameters: Mapping[str, Value]
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    reason: str = ""
    is_repeat: bool = False
    """Whether it is a point that was tried before, to be measured again."""


class Policy(Protocol):
    """A way of choosing; constructed as `Policy(space, objectives, options)`, where it refuses options it has not."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None: ...

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n different points of the space that are not taken, or repeats that say so.

        There are fewer only where fewer are left.
        """
        ...

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit.

        Raises:
            NotEnoughData: Nothing was measured yet.
        """
        ...


@runtime_checkable
class TakesFromSources(Protocol):
    """A policy that may take something from results from elsewhere."""

    def sources(self, data: PlannerData) -> dict[str, Any]:
        """Return what is taken, in plain data.

        `weights` by source, of `all` together and of `nothing`; `refused`, with reasons; and as `standing` whether they
        are ``trusted``, ``doubted`` or ``left alone``.
        """
        ...


@runtime_checkable
class MapsRegions(Protocol):
    """What a policy that classifies can do besides."""

    def regions(self, data: PlannerData, points: Sequence[Mapping[str, Value]]) -> RegionPosterior:
        """Return which region each point belongs to.

        Raises:
            NotEnoughData: No fingerprint was told yet.
        """
        ...


@runtime_checkable
class FindsLevel(Protocol):
    """What a policy that looks for a level can do besides."""

    def level(self, data: PlannerData, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return the chance that the target exceeds the level at points, `n`.

        Raises:
            NotEnoughData: Nothing was measured yet.
        """
        ...

    def undecided(self, data: PlannerData) -> float:
        """Return the share of the space where the target may as well lie above the level as below."""
        ...


class Foreteller(Protocol):
    """A fitted model of one target."""

    def forecast(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of a value measured once at encoded points, noise included."""
        ...


@runtime_checkable
class Foretells(Protocol):
    """What a policy whose models can be held against each other can do besides."""

    plans_with: tuple[str, ...]
    """Its models by name, the one that it begins with first."""

    def live(self, data: PlannerData) -> Mapping[str, Mapping[str, Foreteller]]:
        """Return its models fitted to what is known, by name and target; those that know too little are left out."""
        ...


@runtime_checkable
class DoubtsResults(Protocol):
    """A policy that may find results that cannot be."""

    def doubted(self, data: PlannerData) -> tuple[Doubted, ...]:
        """Return the results that are not believed; none where it does not look for them."""
        ...


@runtime_checkable
class GivesUp(Protocol):
    """A policy whose surrogates may not be fitted as usual."""

    def given_up(self, data: PlannerData) -> Mapping[str, str]:
        """Return what had to be given up to fit targets, by target; empty where nothing had to, or nothing was fitted.

        See `planner.rescue`.
        """
        ...


@runtime_checkable
class Foresees(Protocol):
    """What a policy that optimises can do besides."""

    def prospect(self, data: PlannerData, by: float, rng: np.random.Generator) -> Prospect:
        """Return what untried points may still bring.

        Raises:
            BadOption: Several objectives have no common measure.
            NotEnoughData: Too little was measured.
        """
        ...


@runtime_checkable
class Warns(Protocol):
    """What a policy that watches its results can do besides."""

    def alarms(self, data: PlannerData) -> list[str]:
        """Return what a person must know of the results, a sentence each."""
        ...


def policy_class(name: str) -> type[Policy]:
    """Import the class of a policy.

    Raises:
        BadOption: No policy has this name.
    """
    if name not in POLICIES:
        raise BadOption(f"there is no policy {name!r}{did_you_mean(name, POLICIES)}")
    module, _, attribute = POLICIES[name].partition(":")
    return getattr(import_module(module), attribute)


def refuse_fidelity(name: str, cls: object, space: SearchSpace) -> None:
    """Refuse a space of several fidelities for a policy that would take their results for the same.

    Raises:
        BadOption: It would.
    """
    if space.fidelity is None or getattr(cls, "knows_fidelities", False) or looks_only_at_target(cls):
        return
    raise BadOption(
        f"policy {name!r} would take results of all levels of {space.fidelity.name!r} for the same; choose policy "
        f"'auto' or 'fidelities', or leave {space.fidelity.name!r} out"
    )


def refuse_input_noise(name: str, cls: object, space: SearchSpace) -> None:
    """Refuse a space whose parameters are not quite achieved for a policy that would take them for exact.

    Raises:
        BadOption: It would.
    """
    if space.input_noise is None or getattr(cls, "knows_input_noise", False):
        return
    noisy = next(one.name for one in space.parameters if getattr(one, "input_sd", 0.0) > 0.0)
    raise BadOption(
        f"policy {name!r} takes what is asked for as achieved; choose policy 'auto', or leave out input_sd of {noisy!r}"
    )


def looks_only_at_target(policy: object) -> bool:
    """Say whether a policy, which does not learn, is to try nothing but the fidelity that counts."""
    return bool(getattr(policy, "learns_nothing", False))
