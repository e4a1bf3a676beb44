"""Why an analysis cannot tell."""

from __future__ import annotations


class CannotTell(Exception):
    """The measurements do not support an answer; the message is the reason, for a person to read."""
