"""Asking devices that speak the OEM protocol: a lost answer is asked for again without anything being done twice."""

from __future__ import annotations

from drivers.command import Effect
from drivers.errors import Ambiguous, DeviceFault, DriverError, NotSent, Rejected, Unreadable
from drivers.instruments.oem_block import Answer, Command, OemBlock
from drivers.links.base import Link

REPLY_S = 0.3
LATE_MAX_S = 0.2
REPEATS = 2
"""How often a block whose answer was lost is sent again."""

NOT_INITIALISED, OVERFLOW = 7, 15

_ERRORS = {
    1: "initialisation failed",
    2: "invalid command",
    3: "invalid operand",
    4: "invalid command sequence",
    6: "EEPROM failure",
    7: "device not initialised",
    9: "plunger overload: is the tip clogged?",
    10: "valve overload",
    11: "plunger move not allowed",
    12: "internal failure",
    14: "A/D converter failure",
    15: "command overflow",
}
_REFUSALS = (2, 3, 4, 11)


class OemLine:
    """The devices on one line, by address; numbers the blocks."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._number = 0
        self._blocks = 0

    async def report(self, address: bytes, text: str, effect: Effect) -> str:
        """Return the data of a report.

        Raises:
            Unreadable, Ambiguous, NotSent: As `Link.exchange`, by effect; also where the device knows no such report.
        """
        answer = await self.ask(address, text, effect)
        if answer.error in _REFUSALS:
            raise self.link.distrust(f"{text} was answered with error {answer.error}", effect=effect)
        return answer.data.decode("latin-1")

    async def ask(self, address: bytes, text: str, effect: Effect) -> Answer:
        """Ask for a report, within a command that acts again and again; errors as `report`."""
        for left in range(0 if effect is Effect.READ else REPEATS, -1, -1):
            try:
                return await self._exchange(self._next(address, text), effect)
            except (Ambiguous, NotSent):
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def order(self, address: bytes, text: str, effect: Effect, *, urgent: bool = False) -> Answer:
        """Send a command; if its answer is lost, repeat it under its number, which the device does not do twice.

        Raises:
            Ambiguous, NotSent: As `Link.exchange`.
            Rejected: The device is busy and ignored it.
        """
        block = self._next(address, text)
        sent = self._blocks
        lost: DriverError | None = None
        for _ in range(1 + REPEATS):
            try:
                answer = await self._exchange(block, effect, urgent=urgent)
            except (Ambiguous, Unreadable) as error:
                lost = error
            except NotSent:
                if lost is not None:
                    break  # this repetition did not leave, the ones before may have arrived
                raise
            else:
                if answer.error == OVERFLOW:
                    raise Rejected(f"the pump is busy and ignored {text}")
                return answer
            if self._blocks != sent:
                break  # the device compares with the last block that it got, so nothing may have come between
            block = Command(address=address, number=block.number, is_repeated=True, data=block.data)
        raise lost or Ambiguous(f"{text} was not answered")

    def _next(self, address: bytes, text: str) -> Command:
        self._number = self._number % 7 + 1
        self._blocks += 1
        return Command(address=address, number=self._number, is_repeated=False, data=text.encode("ascii"))

    async def _exchange(self, block: Command, effect: Effect, *, urgent: bool = False) -> Answer:
        message = await self.link.exchange(
            _FRAMING.wrap(block.message()),
            framing=_FRAMING,
            timeout_s=REPLY_S,
            effect=effect,
            late_max_s=LATE_MAX_S,
            urgent=urgent,
        )
        try:
            return Answer.read(message)
        except ValueError as error:
            raise self.link.distrust(str(error), effect=effect) from None


_FRAMING = OemBlock()


def pump_error(code: int) -> DriverError:
    """Return what an error of the pump means."""
    text = _ERRORS.get(code, "unknown error")
    if code == NOT_INITIALISED:
        return Rejected("the pump is not initialised; home() it, which empties the syringe into the waste")
    if code in _REFUSALS:
        return Rejected(f"the pump refused: {text} ({code})")
    return DeviceFault(f"the pump reports {text} (error {code})", code=str(code), needs_operator=True)
