"""Makes one device safe: stop it, see that the stop worked, and go further where it did not."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from drivers.clock import Clock
from drivers.command import Effect
from drivers.errors import DriverError, NotConnected
from orchestrator.calls import call
from orchestrator.guard.readings import Readings
from orchestrator.guard.rules import Proof, Rules, SafetyRule

ATTEMPTS = 3
RETRY_S = 1.0
REMIND_S = 1800.0
"""How often it is said again that a device is not safe."""


class SafeState(StrEnum):
    """How far making a device safe has come."""

    STOPPING = "stopping"
    """The stop command is under way."""
    STOPPED = "stopped"
    """It took the command; nothing proves yet, or nothing can prove, that it worked."""
    SAFE = "safe"
    """The proof was seen."""
    NOT_SAFE = "not safe"
    """It could not be stopped, or the proof did not come in time. Somebody must go there."""


Reconnect = Callable[[str], Awaitable[Any]]
Tell = Callable[[str, str, bool], None]
"""Kind, text, whether it is an alarm."""


@dataclass(slots=True)
class Reached:
    """How the guard gets at devices."""

    drivers: dict[str, Any]
    clock: Clock
    reconnect: Reconnect | None
    """Opens a device's link after it was lost; None where somebody else does."""
    ask_controller: Callable[[str], Awaitable[str]] | None = None
    """Stops a device that only the controller reaches; returns why it could not."""

    def can_stop(self, device: str, rules: Rules) -> bool:
        """Say whether there is a way to stop a device."""
        driver = self.drivers.get(device)
        return callable(getattr(driver, "stop", None)) if driver is not None else device in rules.safety

    async def stop(self, rule: SafetyRule) -> None:
        """Stop a device.

        Raises:
            DriverError: It could not be stopped.
        """
        driver = self.drivers.get(rule.device)
        if driver is None:
            why = "no connection of the guard reaches it" if self.ask_controller is None else ""
            why = why or await self._through_the_controller(rule)
            if why:
                raise DriverError(why, device=rule.device, command="stop")
            return
        await self.do(rule.device, "stop", deadline_s=rule.stop_within_s)

    async def do(self, device: str, command: str, *, deadline_s: float) -> None:
        """Give a command without arguments; on a link that was lost, once more on a new one.

        Raises:
            DriverError: It could not be given.
        """
        driver = self.drivers.get(device)
        if driver is None:
            raise DriverError("no connection of the guard reaches it", device=device, command=command)

        async def given() -> None:
            try:
                await getattr(driver, command)()
            except NotConnected:
                if self.reconnect is None:
                    raise
                await self.reconnect(device)
                await getattr(driver, command)()

        await call(given, {}, effect=Effect.IDEMPOTENT, deadline_s=deadline_s, device=device, command=command)

    async def _through_the_controller(self, rule: SafetyRule) -> str:
        if self.ask_controller is None:
            return ""
        try:
            async with asyncio.timeout(rule.stop_within_s):
                return await self.ask_controller(rule.device)
        except TimeoutError:
            return f"only the controller reaches it, which did not stop it within {rule.stop_within_s:g} s"


@dataclass(slots=True)
class MakingSafe:
    """The way of one device to its safe state.

    Args:
        rule: What safe means.
        reached: How to get at it.
        readings: What is read of it.
        every_s: How often the proof is looked for.
        tell: Who hears of it.
    """

    rule: SafetyRule
    reached: Reached
    readings: Readings
    every_s: float
    tell: Tell
    state: SafeState = SafeState.STOPPING
    reason: str = ""
    is_tried: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the first stop command has ended, one way or the other."""
    has_stopped: bool = False
    """Whether it has taken a stop command."""
    _highest: float = -math.inf
    _told_s: float = -math.inf
    """When it was last said that it is not safe."""

    @property
    def is_over(self) -> bool:
        """Whether it is as safe as can be seen: proved, or stopped where there is no proof."""
        return self.state is SafeState.SAFE or (self.state is SafeState.STOPPED and self.rule.proof is None)

    async def run(self) -> None:
        """Stop the device until it is safe; return once it is, or once nothing more can be seen or done."""
        try:
            await self._run()
        finally:
            self.is_tried.set()  # whoever waits for it must not wait for one that was begun again

    async def _run(self) -> None:
        rule = self.rule
        since_s = self.reached.clock.now_s()
        while True:
            is_stopped = await self._stop()
            if is_stopped and rule.proof is None:
                return
            if is_stopped and rule.proof is not None and await self._is_proved(rule.proof, since_s):
                self._now(SafeState.SAFE, f"{rule.device} is safe: {self.reason}", is_alarm=False)
                return
            await self._escalate(is_stopped)
            await self.reached.clock.sleep(max(RETRY_S, rule.stop_within_s))

    async def _stop(self) -> bool:
        device = self.rule.device
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self.reached.stop(self.rule)
            except DriverError as error:
                self.is_tried.set()
                self.reason = str(error)
                if self.state is SafeState.STOPPING:
                    self.tell("stop_failed", f"{device} was not stopped, attempt {attempt}: {error}", True)
                if attempt < ATTEMPTS:
                    await self.reached.clock.sleep(RETRY_S)
                continue
            self.has_stopped = True
            self.is_tried.set()
            if self.state is SafeState.STOPPING or self.rule.proof is None:
                self._now(SafeState.STOPPED, f"{device} took its stop command", is_alarm=False)
            return True
        return False

    async def _is_proved(self, proof: Proof, since_s: float) -> bool:
        clock = self.reached.clock
        until_s = clock.now_s() + proof.within_s
        while clock.now_s() < until_s:
            if self._is_seen(proof, since_s):
                return True
            await clock.sleep(self.every_s)
        return False

    def _is_seen(self, proof: Proof, since_s: float) -> bool:
        if proof.holds is None:
            return self._has_fallen(proof, since_s)
        verdict = proof.holds.judge(self.readings.look(self.reached.clock.now_s(), since_s=since_s))
        self.reason = verdict.reason
        return verdict.truth is True

    def _has_fallen(self, proof: Proof, since_s: float) -> bool:
        taken = self.readings.newest(proof.falls)
        if taken is None or taken.at_s < since_s or not isinstance(taken.value, int | float):
            self.reason = f"{proof.falls} was not read since ({self.readings.error(proof.falls) or 'no reading'})"
            return False
        self._highest = max(self._highest, float(taken.value))
        self.reason = f"{proof.falls} is {taken.value:g}, its highest since the stop was {self._highest:g}"
        return float(taken.value) <= max(self._highest - proof.by, proof.or_below)

    async def _escalate(self, is_stopped: bool) -> None:
        rule, now_s = self.rule, self.reached.clock.now_s()
        what = "took its stop command, but" if is_stopped else "could not be stopped:"
        is_told = now_s - self._told_s >= REMIND_S
        if is_told:
            kind = "still_not_safe" if self.state is SafeState.NOT_SAFE else "not_safe"
            self._told_s, self.state = now_s, SafeState.NOT_SAFE
            self.tell(kind, f"{rule.device} {what} {self.reason}; go there", True)
        for command in rule.otherwise:
            device, _, name = command.partition(".")
            kind, text = "escalated", f"{command} was given, since {rule.device} is not safe"
            try:
                await self.reached.do(device, name, deadline_s=rule.stop_within_s)
            except DriverError as error:
                kind, text = "escalation_failed", f"{command} could not be given: {error}"
            if is_told:
                self.tell(kind, text, True)

    def _now(self, state: SafeState, text: str, *, is_alarm: bool) -> None:
        self.state = state
        self.tell(state.value.replace(" ", "_"), text, is_alarm)
