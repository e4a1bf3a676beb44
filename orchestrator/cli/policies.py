"""The names of the planner's policies for help texts: looking them up would load numpy before the help is shown."""

from __future__ import annotations

POLICIES = (
    "auto",
    "logei",
    "integrated_variance",
    "uncertainty",
    "random",
    "sobol",
    "grid",
    "sara",
    "cameo",
    "screening",
    "ax",
    "baybe",
    "mobile_chemist",
    "soft_constraints",
    "transfer",
    "fidelities",
    "level_set",
    "reactions",
)

HELP = f"Another policy than the campaign names: {', '.join(POLICIES)}."
