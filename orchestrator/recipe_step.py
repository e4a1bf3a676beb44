"""What every step of a recipe has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

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


def parameters_of(step: Step) -> set[str]:
    """Return the parameters that a step takes, written ``$name``."""
    return set(_named(step.model_dump(mode="json", by_alias=True)))


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("$"):
        yield value[1:]
    elif isinstance(value, dict):
        for one in value.values():
            yield from _named(one)
    elif isinstance(value, list):
        for one in value:
            yield from _named(one)
