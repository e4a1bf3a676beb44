"""The lab file: which devices there are, where they are, what the site forbids, where samples lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from orchestrator import units
from orchestrator.consumables import Stock
from orchestrator.errors import NewerVersion
from orchestrator.fields import (
    QUANTITY_SCHEMA,
    PositiveSeconds,
    StrictModel,
    Switch,
    Whole,
    did_you_mean,
    mistake,
)
from orchestrator.guard.settings import GuardSettings
from orchestrator.hours.windows import Closed
from orchestrator.mistakes import validated
from orchestrator.people.settings import People
from orchestrator.prices import Prices
from orchestrator.samples import NoSamples, Racks, Samples
from orchestrator.yaml_source import Source

FORMAT = 1
"""Version of the campaign and lab files that this labpilot writes and reads."""


def check_format(source: Source) -> None:
    """Refuse a file for a later labpilot before its keys are called unknown.

    Raises:
        NewerVersion: The file says so.
    """
    version = newer_format(source.data)
    if version is not None:
        message = f"written for format {version}, but this labpilot reads format {FORMAT}; update labpilot"
        raise NewerVersion(str(source.problem(("labpilot",), message)))


def newer_format(data: object) -> int | None:
    """Return the format that data says it was written for, if that is later than ours."""
    version = data.get("labpilot") if isinstance(data, Mapping) else None
    return version if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT else None


FormatVersion = Annotated[Whole, Field(ge=FORMAT, le=FORMAT, description="Version of this file's format, 1")]
Name = Annotated[str, Field(min_length=1, max_length=100, description="A short name")]


def _limit_value(value: object) -> units.Measure:
    if isinstance(value, units.Measure):
        return value
    try:
        return units.measure(value)
    except units.UnitError as error:
        raise mistake(str(error)) from None


LimitValue = Annotated[
    units.Measure, PlainValidator(_limit_value), PlainSerializer(str), WithJsonSchema(QUANTITY_SCHEMA)
]


class Limit(StrictModel):
    """What this site allows for one argument of a command, bounds included."""

    low: LimitValue | None = Field(default=None, description="Least value allowed")
    high: LimitValue | None = Field(default=None, description="Greatest value allowed")

    @model_validator(mode="after")
    def _says_something(self) -> Limit:
        if self.low is None and self.high is None:
            raise mistake("gives neither low nor high")
        if self.low and self.high:
            self._check_order(self.low, self.high)
        return self

    @staticmethod
    def _check_order(low: units.Measure, high: units.Measure) -> None:
        try:
            low_value = units.convert(low.value, low.unit, high.unit)
        except units.UnitError as error:
            raise mistake(str(error), at="low") from None
        if low_value > high.value:
            raise mistake(f"{low} is above high, {high}; exchange them", at="low")


def _device_command(key: str) -> str:
    device, _, command = key.partition(".")
    if not device or not command or "." in command:
        raise mistake("must be 'device.command'")
    return key


Limits = dict[Annotated[str, AfterValidator(_device_command)], dict[str, Limit]]
"""By ``device.command``, then by argument."""


class Device(StrictModel):
    """One instrument."""

    driver: str = Field(min_length=1, description="An installed driver, or ./file.py:Class")
    url: str = Field(min_length=1, description="Where it is, such as sim:film-station/stage or serial:///dev/ttyUSB0")
    capacity: Whole = Field(default=1, ge=1, le=10_000, description="How many trials it can serve at once")
    serial: str | None = Field(default=None, min_length=1, description="Its serial number; another one is refused")


class Approval(StrictModel):
    """That a person must approve a command each time before it is given."""

    why: str = Field(min_length=1, description="What is hazardous; it stands in the question")
    unless: dict[str, Limit] = Field(
        default_factory=dict, description="Limits by argument; within all of them, nobody is asked"
    )
    deadline_s: PositiveSeconds = Field(
        default=8 * 3600.0, alias="deadline", description="After so long without an answer the command is refused"
    )


def _device_name(name: str) -> str:
    if not name or "." in name or name.startswith("$"):
        raise mistake("a device's name has no dot and does not begin with $")
    return name


class Lab(StrictModel):
    """One laboratory."""

    labpilot: FormatVersion
    name: Name
    description: str = Field(default="", description="What this laboratory is")
    devices: dict[Annotated[str, AfterValidator(_device_name)], Device] = Field(
        min_length=1, description="Instruments by name"
    )
    samples: Samples = Field(default_factory=NoSamples, description="Where samples lie")
    stock: Stock | None = Field(default=None, description="What is stocked, so that its end can be foreseen")
    costs: Prices | None = Field(default=None, description="What instruments, energy and materials cost")
    limits: Limits = Field(default_factory=dict, description="What this site allows, by device.command and argument")
    approvals: dict[Annotated[str, AfterValidator(_device_command)], Approval] = Field(
        default_factory=dict, description="Which commands a person must approve each time, by device.command"
    )
    guard: GuardSettings | None = Field(
        default=None, description="What is watched beside the controller, what commands need, what stops a device"
    )
    closed: Closed | None = Field(default=None, description="When the laboratory is closed, or devices are away")
    people: People = Field(default_factory=People, description="Who is told of what, and through which channels")
    simulation: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Options of simulated worlds, by the world's name"
    )
    mixed: Switch = Field(default=False, description="Whether simulated and real devices may stand side by side")

    @field_validator("simulation", mode="before")
    @classmethod
    def _empty_options(cls, value: object) -> object:
        if isinstance(value, dict):
            return {name: {} if options is None else options for name, options in value.items()}
        return value

    @model_validator(mode="after")
    def _names_what_it_has(self) -> Lab:
        held = sorted(set(self.samples.materials.values())) if isinstance(self.samples, Racks) else []
        stocked = {("stock", "materials", name) for name in self.stock.materials} if self.stock else set()
        priced = {("costs", "per_g", name) for name in self.costs.per_g} if self.costs else set()
        for path in sorted(stocked | priced):
            if held and path[-1] not in held:
                raise mistake(f"no dispenser holds {path[-1]!r}{did_you_mean(path[-1], held)}", at=path, of_key=True)
        for index, window in enumerate(self.closed.windows if self.closed else ()):
            for place, name in enumerate(window.devices):
                if name not in self.devices:
                    at = ("closed", "windows", index, "devices", place)
                    raise mistake(f"no device {name!r}{did_you_mean(name, self.devices)}", at=at)
        for name in self.costs.devices if self.costs else ():
            if name not in self.devices:
                at = ("costs", "devices", name)
                raise mistake(f"no device {name!r}{did_you_mean(name, self.devices)}", at=at, of_key=True)
        return self

    @classmethod
    def from_source(cls, source: Source) -> Lab:
        """Read a lab file.

        Raises:
            InvalidSource: Something is wrong; carries every mistake.
            NewerVersion: It is for a later labpilot.
        """
        check_format(source)
        return validated(cls, source)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Lab:
        """Read what `data()` wrote.

        Raises:
            InvalidSource: Something is wrong; carries every mistake.
            NewerVersion: It is for a later labpilot.
        """
        return cls.from_source(Source("lab", dict(data)))

    def data(self) -> dict[str, Any]:
        """Return the lab as JSON values that `from_data` reads."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
