"""Permission: what may begin now. A step that may not waits, and holds what it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from orchestrator.plan import Act

Refusal = Callable[[str, str], str]
"""Says why no step may begin with a device (empty: with none) that a path of a plan belongs to; empty: it may."""


def _nothing_is_refused(_device: str, _path: str) -> str:
    return ""


async def _everything_is_approved(_trial: int, _act: Act, _command_id: str) -> None:
    return


class Permission:
    """Asked before every act that is new.

    Args:
        refusal: Why a step may not begin now.
        approval: Waits for a person's approval of an act where it needs one; raises `outcomes.TrialLost` without it.
    """

    def __init__(
        self,
        refusal: Refusal = _nothing_is_refused,
        approval: Callable[[int, Act, str], Awaitable[None]] = _everything_is_approved,
    ) -> None:
        self._refusal = refusal
        self.approved = approval
        self._changed = asyncio.Event()

    def is_granted(self, device: str, path: str) -> bool:
        """Say whether a step may begin now."""
        return not self._refusal(device, path)

    async def granted(self, device: str, path: str) -> None:
        """Wait until a step may begin."""
        while not self.is_granted(device, path):
            await self._changed.wait()

    def changed(self) -> None:
        """Let everybody who waits ask again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
