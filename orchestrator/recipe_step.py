"""What every step of a recipe has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from orchestrator.fields import StrictModel

DeviceName = Annotated[str, Field(min_length=1, description="Which device does it; needed where several could")]


class Step(StrictModel):
    """What every kind of step has."""

    kind: ClassVar[str]
    capabilities: ClassVar[tuple[str, ...]] = ()
    """What devices must be able to do. The step's `device` is the one with the first of them."""
    sends: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Commands to the device of the first capability: driver's argument -> field of this step, for checking limits."""
    device: DeviceName | None = None
