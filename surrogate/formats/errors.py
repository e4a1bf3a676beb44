"""What goes wrong with files.

FormatError
    NotUnderstood    no reader takes the file, or the one that does finds it broken
    Disagreement     two readers read it, and differently
"""

from __future__ import annotations


class FormatError(ValueError):
    """A file cannot be used; the message says why and what to do."""


class NotUnderstood(FormatError):
    """No reader takes the file, or it is broken where its reader looked."""


class Disagreement(FormatError):
    """Two readers read a file, and differently: it is ambiguous or damaged, and neither is believed."""
