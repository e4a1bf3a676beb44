"""The simulated solid-state chemistry of a powder: precursors dosed, mixed, fired, ground again, and weighed.

`dosing` makes a `Powder`, `firing` heats it with the rates of a `Chemistry`, `grinding` mixes it and lets vessels carry
some of it over to the next sample, `specimen` hands it to the simulated diffractometer. The model is a proposal in the
manner of A-Lab's reaction networks (Szymanski et al., Nat. Commun. 14, 6956 (2023), doi 10.1038/s41467-023-42329-9):
energies are a handbook's, rates are drawn, and no compound was made to fit them.
"""
