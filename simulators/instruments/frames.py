"""The frame memory of a detector: what its last acquisitions looked at, by tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.world import WorldFile

KEPT = 1000
"""So many frames fit; older ones are overwritten."""


class FrameMemory:
    """The last frames, oldest first. A frame is what it takes to compute its pixels again, not the pixels."""

    def __init__(self, state: WorldFile, prefix: str) -> None:
        self._state = state
        self._prefix = prefix
        written = {key.removeprefix(prefix): state.get(key) for key in state.keys(prefix)}
        self._frames: dict[str, dict[str, Any]] = dict(sorted(written.items(), key=lambda item: item[1]["number"]))
        self._forget_old()

    @property
    def last(self) -> Mapping[str, Any] | None:
        """The newest frame."""
        return next(reversed(self._frames.values()), None)

    def get(self, tag: str) -> Mapping[str, Any] | None:
        """Return the frame of a tag if it is still kept."""
        return self._frames.get(tag)

    def add(self, tag: str, frame: Mapping[str, Any]) -> None:
        """Keep a frame, in the world's file too."""
        number = 0 if self.last is None else self.last["number"] + 1
        self._frames[tag] = {"number": number, **frame}
        self._forget_old()
        self._state.update({self._prefix + tag: self._frames[tag]})

    def _forget_old(self) -> None:
        while len(self._frames) > KEPT:
            del self._frames[next(iter(self._frames))]
