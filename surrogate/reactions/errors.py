"""What can go wrong with reactions.

    ReactionError
    +-- BadTable       a table of energies cannot be read
    +-- NoPrecursors   no set of the precursors balances to the target; says why
    +-- NotFetched     energies could not be had from the Materials Project; says what to do

All are also ValueError: the caller passed something wrong.
"""


class ReactionError(ValueError):
    """Root of what leaves `surrogate.reactions`."""


class BadTable(ReactionError):
    """A table of energies cannot be read."""


class NoPrecursors(ReactionError):
    """No set of the precursors balances to the target."""


class NotFetched(ReactionError):
    """Energies could not be had from the Materials Project."""
