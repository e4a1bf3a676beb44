"""Solid-state reactions: which precursors balance, what drives them, which pairs of phases react, and where.

`substances` holds the table of energies, `materials_project` fetches another one (by `mp_api`), `energies` the gas
around a sample, `balance` the reactions of one phase or of two that touch, `precursors` the sets that make a target,
`kinetics` what a firing makes of a set, `beliefs` what diffraction has taught about the pairs. After ARROWS3 (Szymanski
et al., Nat. Commun. 14, 6956 (2023), doi 10.1038/s41467-023-42329-9), with probabilities instead of facts.
"""
