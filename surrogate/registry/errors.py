"""What goes wrong with a registry of models.

RegistryError
|-- NewerRegistry    a later labpilot wrote it
|-- BrokenVersion    a file is half written, changed, or holds something else
`-- NotProspective   a forecast came after its result, or came twice
"""

from __future__ import annotations


class RegistryError(ValueError):
    """Something is wrong with a registry."""


class NewerRegistry(RegistryError):
    """A later labpilot wrote it; it may be read as far as this one understands it, and not be written."""


class BrokenVersion(RegistryError):
    """A file of a version is half written, was changed, or holds something else; the others stay usable."""


class NotProspective(RegistryError):
    """A forecast came after its result, or came twice with other numbers: it can prove nothing."""
