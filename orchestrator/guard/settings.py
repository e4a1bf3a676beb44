"""The `guard:` section of a lab file: what is watched, what a command needs, what stops a device, what safe means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from orchestrator import units
from orchestrator.fields import QUANTITY_SCHEMA, PositiveSeconds, Seconds, StrictModel, Whole, mistake
from orchestrator.guard.grammar import PredicateError, parse
from orchestrator.guard.predicate import Both, Compare, Either, Node, Not


def _predicate(value: object) -> Node:
    if isinstance(value, Compare | Not | Both | Either):
        return value
    if not isinstance(value, str):
        raise mistake("must be text such as 'door-1.door_state == closed'")
    try:
        return parse(value)
    except PredicateError as error:
        raise mistake(str(error)) from None


def _measure(value: object) -> units.Measure:
    if isinstance(value, units.Measure):
        return value
    try:
        return units.measure(value)
    except units.UnitError as error:
        raise mistake(str(error)) from None


def _key(parts: int, example: str) -> AfterValidator:
    def check(key: str) -> str:
        if len(key.split(".")) != parts or not all(key.split(".")):
            raise mistake(f"must be written as {example}", of_key=True)
        return key

    return AfterValidator(check)


Predicate = Annotated[Node, PlainValidator(_predicate), PlainSerializer(str), WithJsonSchema({"type": "string"})]
"""See `orchestrator.guard.grammar`."""
Quantity = Annotated[units.Measure, PlainValidator(_measure), PlainSerializer(str), WithJsonSchema(QUANTITY_SCHEMA)]
CommandKey = Annotated[str, _key(2, "'device.command'")]
ArgumentKey = Annotated[str, _key(3, "'device.command.argument'")]
Text = Annotated[str, Field(min_length=1, max_length=500)]
OnLoss = Literal["keep", "stop"]
Reach = Literal["own", "controller"]


class Watched(StrictModel):
    """A reading that the guard takes by itself."""

    every: PositiveSeconds = Field(description="How often it is read")
    stale: PositiveSeconds = Field(description="From which age on it is a no")

    @model_validator(mode="after")
    def _leaves_time(self) -> Watched:
        if self.stale <= self.every:
            raise mistake(f"it is read every {self.every:g} s, so only more than that can be stale", at="stale")
        return self


class Interlock(StrictModel):
    """What must be true, by fresh readings, before a command is given."""

    needs: Predicate = Field(description="Such as 'door-1.door_state == closed'")
    fresh: PositiveSeconds | None = Field(
        default=None, description="Read again before answering if older than this; otherwise each reading's stale age"
    )
    why: str = Field(default="", max_length=500, description="What could happen otherwise")


class Trip(StrictModel):
    """What makes devices safe at once."""

    when: Predicate = Field(description="Such as 'box-1.read_temperature > 1150 degC'; a stale reading counts as true")
    longer_than: Seconds = Field(default=0.0, description="How long it must be so")
    stop: list[str] = Field(min_length=1, description="Devices that are made safe")


class ReadingRate(StrictModel):
    """How fast a reading may change; faster is a trip."""

    at_most: Quantity = Field(description="Such as 30 K/min")
    over: PositiveSeconds = Field(description="The time over which the change is taken")
    stop: list[str] = Field(min_length=1, description="Devices that are made safe")


class SetpointRate(StrictModel):
    """How fast an argument of a command may change from one command to the next; faster is refused."""

    at_most: Quantity = Field(description="Such as 600 K/h")


class CommandRate(StrictModel):
    """How often a command may be given; more often is refused."""

    times: Whole = Field(ge=1, le=1_000_000, description="So many")
    within: PositiveSeconds = Field(description="In so long")


class Falls(StrictModel):
    """A reading falls after the stop."""

    falls: CommandKey = Field(description="The reading, device.command")
    by: Quantity = Field(description="So much below its highest after the stop, such as 5 K")
    or_below: Quantity | None = Field(default=None, description="Below this it is safe anyway, such as 60 degC")
    within: PositiveSeconds = Field(description="By when; later is not safe")


class Holds(StrictModel):
    """A predicate holds after the stop."""

    holds: Predicate = Field(description="Such as 'shaker.is_on == false'")
    within: PositiveSeconds = Field(description="By when; later is not safe")


class Safety(StrictModel):
    """What safe means for one device."""

    safe: Text = Field(description="What its safe state is, in words")
    takes: Seconds = Field(description="How long it takes until it is harmless")
    if_computer_dies: Text = Field(description="What the hardware does by itself then, in words")
    on_controller_loss: OnLoss = Field(description="What the guard does when the controller falls silent")
    on_guard_loss: OnLoss = Field(description="What the controller does when the guard falls silent")
    reach: Reach = Field(
        default="own",
        description="Whether the guard has a connection of its own (beside the controller's, or through the link "
        "process of a shared: address), or knows and stops the device only through the controller",
    )
    stop_within: PositiveSeconds = Field(default=10.0, description="Deadline of its stop command")
    proof: Falls | Holds | None = Field(default=None, description="How one sees that the stop worked")
    otherwise: list[CommandKey] = Field(
        default_factory=list, description="Commands without arguments where it did not, such as breaker.switch_off"
    )


class Watchdog(StrictModel):
    """How long one side may be silent."""

    controller: PositiveSeconds = Field(default=30.0, description="After this the controller is lost")
    guard: PositiveSeconds = Field(default=3.0, description="After this the guard is lost")
    answer: PositiveSeconds = Field(default=1.0, description="The guard answers a check within this, or it is a no")


class GuardSettings(StrictModel):
    """The guard of one laboratory."""

    readings: dict[CommandKey, Watched] = Field(default_factory=dict, description="By device.command")
    interlocks: dict[CommandKey, Interlock] = Field(
        default_factory=dict, description="By device.command; device.* is every command that acts"
    )
    trips: dict[Text, Trip] = Field(default_factory=dict, description="By a name of your own")
    reading_rates: dict[CommandKey, ReadingRate] = Field(default_factory=dict, description="By device.command")
    setpoint_rates: dict[ArgumentKey, SetpointRate] = Field(
        default_factory=dict, description="By device.command.argument"
    )
    command_rates: dict[CommandKey, CommandRate] = Field(default_factory=dict, description="By device.command")
    devices: dict[str, Safety] = Field(default_factory=dict, description="What safe means, by device")
    watchdog: Watchdog = Field(default_factory=Watchdog)
