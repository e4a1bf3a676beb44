"""The search for phase sets: forward by evidence, with exchanges and removals, keeping all that was tried.

Trying a candidate beside phases that are frozen is cheap; only the best few are then refined together with them. What
is kept is the evidence of every set that was refined: probabilities come from all of them, not from the best alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.xrd.atlas import Atlas
from surrogate.xrd.fit import fit, start
from surrogate.xrd.hypothesis import Hypothesis, Record, SearchSettings
from surrogate.xrd.model import OWN, Parameters
from surrogate.xrd.pattern import Pattern, as_data
from surrogate.xrd.priors import bends
from surrogate.xrd.screen import Score, Screen, make_screen, score
from surrogate.xrd.task import Fitted, Task
from surrogate.xrd.textured import log_prior_of_kinds, textured

Array = NDArray[np.floating[Any]]


class Searcher:
    """Finds the phase sets of patterns in one library."""

    def __init__(
        self,
        atlas: Atlas,
        *,
        settings: SearchSettings | None = None,
        log_odds: Array | None = None,
        families: NDArray[np.int64] | None = None,
    ) -> None:
        self.atlas = atlas
        # one number for all cells of a phase: at most one of them is in a set
        self.families = np.arange(atlas.n_phases) if families is None else families
        self.settings = settings or SearchSettings()
        self._screen: Screen | None = make_screen(atlas) if atlas.n_phases else None
        self.log_odds = np.full(atlas.n_phases, self.settings.log_prior_odds) if log_odds is None else log_odds

    def search(self, pattern: Pattern, *, proposed: Sequence[int] = ()) -> list[Hypothesis]:
        """Return all sets that were tried, the most probable first; the empty set is among them.

        Args:
            pattern: What was measured.
            proposed: Phases that are tried beside those that screening ranks; evidence decides about them alike.
        """
        return _Search(self, pattern, tuple(dict.fromkeys(proposed))).run()

    def model(self, pattern: Pattern, hypothesis: Hypothesis) -> tuple[Array, Array]:
        """Return a hypothesis' model of a pattern and its background, ``n`` each."""
        if hypothesis.fitted is None:
            return pattern.baseline, pattern.baseline
        columns = np.concatenate([pattern.smooth, pattern.humps], axis=1)
        background = columns @ hypothesis.fitted.coefficients[0].numpy()
        return background + (hypothesis.fitted.scales @ hypothesis.fitted.profile).numpy(), background

    @property
    def screen(self) -> Screen:
        """Return the transformed lines of the library."""
        if self._screen is None:
            raise ValueError("the library is empty")
        return self._screen

    def log_prior(self, phases: tuple[int, ...]) -> float:
        """Return the logarithm of a set's prior odds."""
        return self.settings.overconfidence * float(sum(self.log_odds[phase] for phase in phases))


class _Search:
    def __init__(self, searcher: Searcher, pattern: Pattern, proposed: tuple[int, ...] = ()) -> None:
        self.searcher, self.pattern, self.proposed = searcher, pattern, proposed
        self.atlas, self.settings = searcher.atlas, searcher.settings
        self.data = as_data(pattern)
        self.record = Record()
        self.children: dict[tuple[tuple[int, ...], int, tuple[int, ...]], list[Hypothesis]] = {}

    @cached_property
    def whole(self) -> Score:
        """Return what screening finds in the whole pattern."""
        height = np.maximum(self.pattern.intensity - self.pattern.baseline, 0.0)
        return score(self.searcher.screen, self.pattern, self.pattern.intensity - self.pattern.baseline, height=height)

    def run(self) -> list[Hypothesis]:
        """Search, and return what was tried."""
        current = self._refined([self._unrefined(())], steps=1)[0]
        if self.atlas.n_phases and self.settings.max_phases:
            self._improved(self._grown(current, first=True))
            if self._is_poor(self.record.best):
                for start in (self._widened(self.record.best), *self._other_starts(current)):
                    self._improved(self._grown(start, first=False))
            self._textured()
        return sorted(self.record.found.values(), key=lambda one: -one.log_evidence)

    def _textured(self) -> None:
        """Refine the best sets anew where their textures may be March-Dollase distributions."""
        best = sorted(self.record.found.values(), key=lambda one: -one.log_evidence)[: self.settings.n_textured]
        begun = [textured(self.atlas, one.fitted) for one in best if one.fitted is not None and self._may_gain(one)]
        self._refined([one for some in begun for one in some], steps=self.settings.textured_steps)

    def _may_gain(self, one: Hypothesis) -> bool:
        """Say whether a set leaves enough unexplained, or has bent enough, to reach the best one's evidence."""
        usual = USUAL_MISFIT * float((self.data.weight > 0).sum())
        at_most = 0.5 * (one.chi_squared - usual + one.bending)
        behind = self.record.best.log_evidence - one.log_evidence
        return bool(one.phases) and at_most > max(self.settings.least_textured, behind)

    def _improved(self, current: Hypothesis) -> None:
        """Exchange phases, and grow again, for as long as it helps."""
        for _ in range(2):
            exchanged = self._exchanged(current)
            if exchanged is current:
                return
            current = self._grown(exchanged, first=False)

    def _is_poor(self, found: Hypothesis) -> bool:
        """Say whether so much is left unexplained that the search may have begun with the wrong phase."""
        n_seen = int((self.data.weight > 0).sum())
        return found.chi_squared > self.settings.poor_misfit * n_seen

    def _widened(self, current: Hypothesis) -> Hypothesis:
        """Return the best of a set and what comes of a wide choice of phases beside it."""
        if len(current.phases) >= self.settings.max_phases:
            return current
        children = self._children(current, self.settings.n_widely)
        return max((current, *children), key=lambda one: one.log_evidence)

    def _other_starts(self, empty: Hypothesis) -> list[Hypothesis]:
        """Return single phases, sought more widely, that the best set does not hold; the most probable first."""
        children = self._children(empty, self.settings.n_widely)
        best = self.record.best.phases
        others = [one for one in children if one.phases and one.phases[0] not in best]
        return sorted(others, key=lambda one: -one.log_evidence)[: self.settings.n_starts]

    def _grown(self, current: Hypothesis, *, first: bool) -> Hypothesis:
        """Add phases for as long as the evidence rises."""
        while len(current.phases) < self.settings.max_phases:
            is_first = first and not current.phases
            n_first = max(self.settings.n_beside, self.settings.n_screened - len(self.proposed))
            n_tried = n_first if is_first else self.settings.n_later
            children = self._children(current, n_tried)
            if not children:
                return current
            best = max(children, key=lambda one: one.log_evidence)
            if best.log_evidence <= current.log_evidence:
                return current
            current = best
        return current

    def _children(self, parent: Hypothesis, n_tried: int, *, also: Sequence[int] = ()) -> list[Hypothesis]:
        """Try the best candidates beside a parent's phases, and refine the best of them together."""
        key = (parent.phases, n_tried, tuple(also))
        if (known := self.children.get(key)) is not None:
            return known
        candidates, scores = self._candidates(parent, n_tried, also=also, proposed=self.proposed)
        children = []
        if candidates:
            rough = self._alone(parent, self._begun(candidates, scores), self.settings.rough_steps)
            ranked = self._ranked(rough)
            kept = self._promising(parent, rough, ranked)
            kept += [number for number in ranked if candidates[number] in also and number not in kept]
            fine = self._alone(parent, _picked(rough.parameters, kept), self.settings.narrow_steps)
            children = self._joint(parent, fine, also)
        self.children[key] = children
        return children

    def _ranked(self, alone: Fitted) -> list[int]:
        """Return the rows of candidates, the most probable first."""
        odds = torch.tensor([self._odds(one) for one in alone.parameters.phase.tolist()])
        return torch.argsort(alone.objective - odds).tolist()

    def _promising(self, parent: Hypothesis, rough: Fitted, ranked: list[int]) -> list[int]:
        """Return the rows of candidates that are worth refining well: the best is, even where it gains nothing yet."""
        kept = ranked[: self.settings.n_narrowed]
        if parent.fitted is None:
            return kept
        gain = float(parent.fitted.objective[0]) - rough.objective
        best = float(gain[kept[0]])
        least = min(best, self.settings.rough_margin * best - 2.0 * self.settings.margin)
        return [number for number in kept if float(gain[number]) >= least]

    def _joint(self, parent: Hypothesis, alone: Fitted, also: Sequence[int]) -> list[Hypothesis]:
        """Refine the best candidates together with the parent's phases."""
        ranked = self._ranked(alone)
        known: list[Hypothesis] = []
        begun: list[Parameters] = []
        for place, number in enumerate(ranked):
            behind = float(alone.objective[number] - alone.objective[ranked[0]])
            is_hopeless = place >= self.settings.n_joint or behind > self.settings.margin
            # beside frozen phases a substitute may look hopeless, and be right when they give way
            is_absent = float(alone.scales[number]) <= 0.0
            if (is_absent or is_hopeless) and int(alone.parameters.phase[number]) not in also:
                continue
            phases = tuple(sorted((*parent.phases, int(alone.parameters.phase[number]))))
            if (found := self.record.found.get(phases)) is not None:
                known.append(found)
            else:
                begun.append(self._joined(parent, alone, number))
        return [*known, *self._refined(begun)]

    def _odds(self, phase: int) -> float:
        return self.searcher.log_prior((phase,))

    def _candidates(
        self, parent: Hypothesis, n_tried: int, *, also: Sequence[int] = (), proposed: Sequence[int] = ()
    ) -> tuple[list[int], Score]:
        found = self.whole
        if parent.fitted is not None and parent.phases:
            model, background = self.searcher.model(self.pattern, parent)
            shared = parent.fitted.parameters.shared[0].numpy()
            height = EXPLAINED * np.maximum(model - background, 0.0)
            residual = self.pattern.intensity - model
            found = score(self.searcher.screen, self.pattern, residual, height=height, shared=shared)
        gain = found.gain.copy()
        kin = np.isin(self.searcher.families, self.searcher.families[list(parent.phases)])
        gain[kin] = 0.0
        least = max(self.settings.least_gain, LEAST_SHARE * float(gain.max()))
        ranked = np.argsort(-(gain + 2.0 * self.settings.overconfidence * self.searcher.log_odds), kind="stable")
        order = [int(one) for one in ranked if gain[one] > least][:n_tried]
        # at first nothing is explained yet, and what overlaps with a stronger phase may gain little
        lower = PROPOSED_SHARE * least if parent.phases else -math.inf
        order += [one for one in proposed if one not in order and not kin[one] and gain[one] > lower]
        more = [one for one in also if one not in order and not kin[one]]
        strain = np.concatenate([found.strain[order], self.whole.strain[more]])
        zero_deg = np.concatenate([found.zero_deg[order], np.zeros(len(more))])
        order += more
        return order, Score(gain=gain[order], strain=strain, zero_deg=zero_deg)

    def _alone(self, parent: Hypothesis, begin: Parameters, steps: int) -> Fitted:
        """Refine each candidate by itself, beside the frozen profiles of the parent's phases."""
        r = len(begin.phase)
        frozen = None
        if parent.fitted is not None and parent.phases:
            frozen = parent.fitted.profile
            begin = begin.with_(shared=parent.fitted.parameters.shared.expand(r, 3).clone())
        return fit(self.atlas, self._task(r, frozen), begin, steps=steps, shared_free=frozen is None, tolerance=0.5)

    def _begun(self, phases: Sequence[int], scores: Score | None = None) -> Parameters:
        """Return parameters of phases in rows of their own, at their priors but for what screening found."""
        phase, rows = torch.tensor(phases, dtype=torch.int64), torch.arange(len(phases))
        begin = start(self.atlas, phase, rows, width_deg=self.data.width_deg.expand(len(phases)))
        if scores is None:
            return begin
        # spacings that grow by a part shrink their squared inverses by two parts
        strain = -2.0 * torch.tensor(scores.strain)[:, None] * self.atlas.isotropic[phase]
        begin.shared[:, 0] = torch.tensor(scores.zero_deg)
        return begin.with_(strain=strain)

    def _unrefined(self, phases: Sequence[int]) -> Parameters:
        """Return parameters of phases together in a row, at their priors."""
        apart = self._begun(phases)
        return apart.with_(row=torch.zeros_like(apart.row), shared=self._begun((0,)).shared)

    def _task(self, r: int, frozen: Tensor | None = None) -> Task:
        none = torch.zeros(0, self.data.grid.n, dtype=torch.float64)
        return Task(
            data=self.data,
            pattern=torch.zeros(r, dtype=torch.int64),
            frozen=(none if frozen is None else frozen)[None],
        )

    def _joined(self, parent: Hypothesis, alone: Fitted, number: int) -> Parameters:
        """Return the parameters of a parent's phases and one candidate beside them."""
        one = alone.parameters
        own = {name: getattr(one, name)[number : number + 1] for name in OWN}
        shared = one.shared[number : number + 1]
        if parent.fitted is not None and parent.phases:
            before = parent.fitted.parameters
            own = {name: torch.cat([getattr(before, name), own[name]]) for name in OWN}
            shared = before.shared
        return Parameters(row=torch.zeros(len(own["phase"]), dtype=torch.int64), shared=shared, **own)

    def _refined(self, begun: Sequence[Parameters], *, steps: int | None = None) -> list[Hypothesis]:
        """Refine sets of equal size together, drop phases that vanish, and record what is left."""
        if not begun:
            return []
        rows = torch.cat([one.row + number for number, one in enumerate(begun)])
        own = {name: torch.cat([getattr(one, name) for one in begun]) for name in OWN}
        begin = Parameters(row=rows, shared=torch.cat([one.shared for one in begun]), **own)
        steps = steps or self.settings.joint_steps
        fitted = fit(self.atlas, self._task(len(begun)), begin, steps=steps, tolerance=self.settings.tolerance)
        return [self._recorded(fitted.one(row)) for row in range(len(begun))]

    def _recorded(self, fitted: Fitted) -> Hypothesis:
        if bool((fitted.scales <= 0.0).any()):
            return self._with_what_is_left(fitted)
        names = tuple(sorted(fitted.parameters.phase.tolist()))
        hypothesis = Hypothesis(
            phases=names,
            log_evidence=float(fitted.log_evidence[0])
            + self.searcher.log_prior(names)
            + self.settings.overconfidence * log_prior_of_kinds(self.atlas, fitted.parameters),
            chi_squared=float(fitted.chi_squared[0]),
            bending=sum(float((one**2).sum()) for one in bends(self.atlas, fitted.parameters)),
            fitted=fitted,
        )
        self.record.add(hypothesis)
        return hypothesis

    def _with_what_is_left(self, fitted: Fitted) -> Hypothesis:
        """Refine the phases of a set that did not vanish beside the others."""
        left = _picked(fitted.parameters, (fitted.scales > 0.0).nonzero()[:, 0].tolist())
        phases = tuple(sorted(left.phase.tolist()))
        if (known := self.record.found.get(phases)) is not None:
            return known
        return self._refined([left.with_(row=torch.zeros_like(left.row), shared=fitted.parameters.shared)])[0]

    def _exchanged(self, current: Hypothesis) -> Hypothesis:
        """Take out each phase in turn, and put the best of the others in its place."""
        best = current
        for phase in current.phases:
            rest = self._without(current, phase)
            if rest.log_evidence > best.log_evidence:
                best = rest
            alike = self._alike(phase, current)
            if not alike and not self._has_rival(rest, phase):
                continue
            for child in self._children(rest, self.settings.n_later, also=alike):
                if child.log_evidence > best.log_evidence:
                    best = child
        # a phase that is alike may have been taken for a part of one that is there
        hidden = [one for phase in current.phases for one in self._alike(phase, current)]
        if hidden and len(current.phases) < self.settings.max_phases:
            for child in self._children(current, self.settings.n_later, also=tuple(dict.fromkeys(hidden))[:MOST_ALIKE]):
                if child.log_evidence > best.log_evidence:
                    best = child
        return best

    def _alike(self, phase: int, current: Hypothesis) -> list[int]:
        """Return phases that could be taken for a phase, the most alike first, without those that are there."""
        likeness = self.searcher.screen.likeness[phase]
        order = [int(one) for one in np.argsort(-likeness) if likeness[one] > ALIKE and one not in current.phases]
        return order[:MOST_ALIKE]

    def _has_rival(self, rest: Hypothesis, phase: int) -> bool:
        """Say whether another phase could, by screening, do nearly what a phase does beside the rest."""
        candidates, scores = self._candidates(rest, 2)
        others = [gain for one, gain in zip(candidates, scores.gain, strict=True) if one != phase]
        return phase not in candidates or bool(others and max(others) > RIVAL_SHARE * float(max(scores.gain)))

    def _without(self, current: Hypothesis, phase: int) -> Hypothesis:
        phases = tuple(one for one in current.phases if one != phase)
        if (known := self.record.found.get(phases)) is not None:
            return known
        if current.fitted is None:
            return self._refined([self._unrefined(phases)])[0]
        before = current.fitted.parameters
        rest = _picked(before, (before.phase != phase).nonzero()[:, 0].tolist())
        begin = rest.with_(row=torch.zeros_like(rest.row), shared=before.shared)
        return self._refined([begin], steps=3)[0]


def _picked(parameters: Parameters, entries: Sequence[int]) -> Parameters:
    """Return some entries, each in a row of its own."""
    index = torch.tensor(entries, dtype=torch.int64)
    own = {name: getattr(parameters, name)[index] for name in OWN}
    return Parameters(row=torch.arange(len(index)), shared=parameters.shared[parameters.row[index]], **own)


USUAL_MISFIT = 0.8
"""Chi squared per step, the model's error counted in, of what fits as well as it can."""
ALIKE = 0.8
"""Likeness from which a phase is tried in another one's place, whatever screening says."""
MOST_ALIKE = 3
RIVAL_SHARE = 0.4
"""Of a phase's gain by screening, from which another one is tried in its place."""
EXPLAINED = 0.5
"""Of what a model explains, that is taken for peaks whose heights it may have wrong: what is left beside them counts
less."""
LEAST_SHARE = 0.02
"""Of the best candidate's gain by screening."""
PROPOSED_SHARE = 0.5
"""Of the usual least gain, from which a phase that was proposed is tried beside others."""
