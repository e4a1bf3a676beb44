"""What failed stripes tell: where stripes give no result.

One or two failures are misfires and particles, which come anywhere; nothing is concluded from them. From the third on
a classifier (`planner.feasibility`) learns where stripes fail: beyond ablation, or at an edge where film comes off.
"""

from __future__ import annotations

import numpy as np

from planner.policies.base import PlannerData

FEWEST_FAILURES = 3


def result_probability(data: PlannerData, rows: np.ndarray) -> np.ndarray | None:
    """Return the probability that stripes (`n x p`) give a result, `n`; None where too few failed to tell.

    Args:
        data: what is known.
        rows: candidates.
    """
    from planner.feasibility import fit_viability

    tried, is_result = data.tried_rows()
    if np.sum(~is_result) < FEWEST_FAILURES or not is_result.any():
        return None
    codes = data.space.encode_rows(tried)
    return fit_viability(codes, is_result).probability(data.space.encode_rows(rows))
