"""Batches with controls: the default policy on results from which the drift that controls show was taken out.

After the mobile chemist (Burger et al., Nature 583, 237 (2020), doi 10.1038/s41586-020-2442-2), whose robot repeated
one recipe twice in every batch of sixteen. It is `logei` with its watch for drift on.
"""

from __future__ import annotations

from typing import ClassVar

from planner.policies.bayes import LogEI


class MobileChemist(LogEI):
    """Optimise in batches that hold controls.

    Options: those of `logei`, with `drift: factor` where it is not given.
    """

    name = "mobile_chemist"
    usual_drift: ClassVar[str] = "factor"
