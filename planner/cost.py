"""What an experiment costs, as a formula of its parameters, and what its worth is divided by.

Expected improvement per unit of cost (Snoek, Larochelle and Adams, NeurIPS 2012, arXiv 1206.2944, section 3.2) is worth
over cost; with a power below 1 a cost counts less. Where a budget is given, the power sinks from its full value to 0 as
the budget is spent: "cost cooling" (Lee, Perrone, Archambeau and Seeger, arXiv 2003.10870, section 3), for cheap
experiments are best early, and near the end only the improvement counts. A parameter that does not exist at a point
counts as 0 there. The formula is what a trial at the fidelity that counts costs; others cost in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from planner.errors import BadOption, ConstraintError, SpaceError
from planner.nonlinear import Expression, parse_expression
from planner.parameters import Categorical
from planner.space import SearchSpace

_N_CHECKED = 256
_LEAST = 1e-12
"""Of the dearest point that was looked at: no point counts as cheaper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a point, read from text; nothing of it is executed.

    Attributes:
        text: What the user wrote.
        power: Of the cost that worth is divided by, before anything is spent.
        budget: Spent wholly, the power is 0; None: it stays as it is.
        dearest: The greatest cost among points of the whole space that were looked at.
        formula: The text as a function of values by name.
    """

    text: str
    power: float
    budget: float | None
    dearest: float
    formula: Expression = field(repr=False, compare=False)

    @classmethod
    def read(cls, text: str, space: SearchSpace, *, power: float, budget: float | None) -> Cost:
        """Read a cost and check it at points of the whole space.

        Raises:
            BadOption: The text is no formula of the numeric parameters, or its value is not above 0 somewhere.
        """
        try:
            formula = parse_expression(text, _numeric(space))
        except (ConstraintError, SpaceError) as error:
            raise BadOption(f"option 'cost' is no formula of the parameters that are numbers: {error}") from None
        rows = space.sample_rows(_N_CHECKED, np.random.default_rng(0))
        values = _values(formula, space, rows)
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            raise BadOption(
                f"option 'cost': {text!r} is {values[bad[0]]:g} at {space.points(rows[bad[:1]])[0]}; a cost must be a "
                "number above 0 everywhere, add what every experiment costs at least"
            )
        return cls(text=text, power=power, budget=budget, dearest=float(values.max()), formula=formula)

    def of(self, space: SearchSpace, rows: np.ndarray) -> np.ndarray:
        """Return what rows (`n x p`) cost, `n`; where the formula has no value, as much as the dearest."""
        values = _values(self.formula, space, rows)
        good = np.isfinite(values) & (values > 0)
        return np.maximum(np.where(good, values, self.dearest), _LEAST * self.dearest)

    def power_after(self, spent: float) -> float:
        """Return the power of the cost once so much was spent."""
        return self.power if self.budget is None else self.power * max(0.0, 1.0 - spent / self.budget)


def _numeric(space: SearchSpace) -> list[str]:
    return [parameter.name for parameter in space.parameters if not isinstance(parameter, Categorical)]


def _values(formula: Expression, space: SearchSpace, rows: np.ndarray) -> np.ndarray:
    if space.conditions is not None:
        rows = np.where(space.conditions.active(rows), rows, 0.0)  # what does not exist costs nothing
    columns = {name: rows[:, space.names.index(name)] for name in _numeric(space)}
    columns[""] = np.zeros(len(rows))  # a formula of numbers alone takes its length from any column
    with np.errstate(all="ignore"):
        values = np.asarray(formula(columns), dtype=float)
    if space.fidelity is None:
        return values
    return values * space.fidelity.relative[rows[:, space.names.index(space.fidelity.name)].round().astype(int)]
