"""Planning for results that have not come: a planner as plain data, and what may be measured, give a short list.

It is a function of plain data alone, so that it can be a job in any process: nothing that is imagined ever reaches the
planner that plans. The points of a list are those that would be asked for together if the result were as imagined:
the best one first, then others that are worth most beside it, which are other peaks rather than the neighbours of the
first. Once the real result is known, an ask that is restricted to the lists (`planner.within`) takes the best of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from planner.errors import SearchSpaceExhausted
from planner.planner import Planner
from planner.proposal import Observation
from planner.saving import state_of

_GROWS = ("asks", "said", "pending", "finished", "discarded", "observations")
"""Parts of a planner's document that differ from ask to ask."""


def short_list(document: Mapping[str, Any], imagined: Sequence[Mapping[str, Any]], n: int) -> list[dict[str, Any]]:
    """Return up to n points that would be asked for next, the best first.

    Args:
        document: What the planner knows (`Planner.document`).
        imagined: Observations that may come next: arguments of `planner.Observation`.
        n: How many.

    Raises:
        BadSave: The document is none of a planner.
        BadObservation, UnknownProposal: What is imagined could not be told.
    """
    fixed = {name: part for name, part in document.items() if name not in _GROWS}
    planner = _planner(json.dumps(fixed, sort_keys=True))
    planner.stand_at(state_of(dict(document), "the planner's document", space=planner.space))
    planner.tell([Observation(**one) for one in imagined])
    try:
        return [dict(proposal.parameters) for proposal in planner.ask(n)]
    except SearchSpaceExhausted:
        return []


@lru_cache(maxsize=2)
def _planner(fixed: str) -> Planner:
    """Return a planner that knows nothing; kept from job to job, as a policy may take long to make."""
    nothing = {"asks": 0, "pending": [], "finished": [], "discarded": [], "observations": []}
    state = state_of({**json.loads(fixed), **nothing}, "the planner's document")
    return Planner(state.space, state.objectives, state.seed, state.policy, state.options)
