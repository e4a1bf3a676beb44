"""What the orchestrator refuses or cannot do, each with its exit code (docs/exit_codes.md).

LabpilotError               1
+-- InputError              2   a file or an option is wrong; nothing was started
+-- LabRefused              3   the laboratory or its limits do not allow it
+-- InUse                   4   another process controls this campaign directory
+-- NewerVersion            5   written by a later labpilot
+-- StorageError            6   disk full, unwritable, damaged
+-- CampaignFaulted         7   the campaign ended early because of faults
"""

from __future__ import annotations

from collections.abc import Sequence


class LabpilotError(Exception):
    """Root; str() is one clear message for a person."""

    exit_code = 1


class InputError(LabpilotError):
    """What was given is wrong; `problems` lists every mistake, one sentence each."""

    exit_code = 2

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class LabRefused(LabpilotError):
    """The laboratory cannot or must not do this."""

    exit_code = 3


class InUse(LabpilotError):
    """Another process controls this campaign directory."""

    exit_code = 4


class NewerVersion(LabpilotError):
    """The campaign directory was written by a later labpilot."""

    exit_code = 5


class StorageError(LabpilotError):
    """The disk is full, or the directory cannot be written or read."""

    exit_code = 6


class Fenced(StorageError):
    """Another controller has taken over the campaign: this one must not act any more, not even to make things safe."""


class CampaignFaulted(LabpilotError):
    """The campaign ended before its budget because of faults."""

    exit_code = 7
