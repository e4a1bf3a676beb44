"""A toy heater and its simulator, and drivers that each get one thing wrong: the kit must find every one."""

from __future__ import annotations

import contextlib
from typing import Annotated

from drivers.capabilities import Identity
from drivers.command import Effect, Quantity, command
from drivers.errors import Ambiguous, Rejected, Unreadable
from drivers.links.framing import Line
from drivers.manifest import Manifest
from simulators.instruments.base import FramedInstrument
from simulators.solo import Solo

LINE = Line()
Celsius = Annotated[float, Quantity("Cel", 0.0, 500.0)]


class ToyInstrument(FramedInstrument):
    """Echoes each request before its answer, so that an answer can be told from another's."""

    can_be_busy = True
    has_front_panel = True

    def __init__(self, *, state, clock):
        super().__init__(LINE, state=state, clock=clock)
        self._kept = state.get("toy", {"target_c": 123.456789012345, "pulses": 0})

    def answer(self, request):
        text = request.decode()
        return LINE.wrap(f"{text}={self._carry_out(text.split(' '))}#{sum(request) % 97}".encode())

    def _carry_out(self, words):
        match words:
            case ["ID?"]:
                return "acme toy 1 1.0"
            case ["SP?"]:
                return repr(self._kept["target_c"])
            case ["N?"]:
                return str(self._kept["pulses"])
            case ["SP", value]:
                self._keep(target_c=float(value))
                self._did("set", target_c=float(value))
                return "OK"
            case ["PULSE"]:
                self._keep(pulses=self._kept["pulses"] + 1)
                self._did("pulse", once=True)
                return "OK"
            case ["STOP"]:
                self._did("stop")
                return "OK"
        return "ERR"

    def _keep(self, **changes):
        self._kept = {**self._kept, **changes}
        self._state.put(toy=self._kept)

    def busy_reply(self, request):
        return LINE.wrap(request.strip() + b"=BUSY#" + b"%d" % (sum(request.strip()) % 97))

    def front_panel(self):
        self._keep(target_c=33.0)


class ToyWorld(Solo):
    name = "toy"

    def build(self, *, state, clock, seed, options):
        return {"heater": ToyInstrument(state=state, clock=clock)}


class GoodToy:
    """A heater that is driven well."""

    manifest = Manifest(
        maker="acme", model="toy", wires=("serial",), manual="this file", if_host_dies="Holds.", simulator="toy"
    )

    def __init__(self, link, clock, *, name="heater"):
        self.name = name
        self._link = link
        self._clock = clock

    async def connect(self):
        await self._link.open()
        return await self.identify()

    async def close(self):
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read who it is."""
        words = (await self._twice("ID?")).split(" ")
        if len(words) != 4:
            raise self._link.distrust(f"{words} is no identity", effect=Effect.READ)
        return Identity(maker=words[0], model=words[1], serial=words[2], firmware=words[3])

    @command(Effect.READ)
    async def read_setpoint(self) -> Celsius:
        """Read the target."""
        return await self._number("SP?")

    @command(Effect.VERIFIABLE, verify="is_set", late_max_s=0.25, example={"target_c": 100.0})
    async def set_temperature(self, *, target_c: Celsius) -> None:
        """Set the target."""
        await self._ask(f"SP {float(target_c)!r}", Effect.VERIFIABLE)

    @command(Effect.READ, example={"target_c": 100.0})
    async def is_set(self, *, target_c: Celsius) -> bool:
        """Say whether the target is that."""
        return await self._number("SP?") == target_c

    @command(Effect.IDEMPOTENT, late_max_s=0.25)
    async def stop(self) -> None:
        """Stop heating."""
        await self._ask("STOP", Effect.IDEMPOTENT, urgent=True)

    async def _number(self, text):
        answer = await self._twice(text)
        try:
            return float(answer)
        except ValueError:
            raise self._link.distrust(f"{answer!r} is no number", effect=Effect.READ) from None

    async def _twice(self, text):
        """Ask twice: a line without a checksum of its answer may lie once, hardly twice alike."""
        first, second = await self._ask(text, Effect.READ), await self._ask(text, Effect.READ)
        if first != second:
            raise self._link.distrust(f"{first!r} and {second!r} disagree", effect=Effect.READ)
        return first

    async def _ask(self, text, effect, *, urgent=False):
        request = text.encode()
        reply = await self._link.exchange(
            LINE.wrap(request), framing=LINE, timeout_s=1.0, effect=effect, late_max_s=0.25, urgent=urgent
        )
        head, _, tail = reply.decode().rpartition("#")
        body = head.removeprefix(f"{text}=")
        if body == head or tail != str(sum(request) % 97):
            raise self._link.distrust(f"{reply!r} is no answer to {text}", effect=effect)
        if body == "BUSY":
            raise Rejected(f"busy: {text} was not done")
        if body == "ERR" or (effect is not Effect.READ and body != "OK"):
            raise self._link.distrust(f"{reply!r} is no answer to {text}", effect=effect)
        return body


class SwallowsDoubt(GoodToy):
    """Says that a set worked though no reply came."""

    @command(Effect.VERIFIABLE, verify="is_set", late_max_s=0.25, example={"target_c": 100.0})
    async def set_temperature(self, *, target_c: Celsius) -> None:
        """Set the target."""
        with contextlib.suppress(Ambiguous):
            await self._ask(f"SP {float(target_c)!r}", Effect.VERIFIABLE)


class CallsItUnread(GoodToy):
    """Says of a set without a reply that nothing was done."""

    @command(Effect.VERIFIABLE, verify="is_set", late_max_s=0.25, example={"target_c": 100.0})
    async def set_temperature(self, *, target_c: Celsius) -> None:
        """Set the target."""
        await self._ask(f"SP {float(target_c)!r}", Effect.READ)


class LyingReadBack(GoodToy):
    """Verifies by saying yes."""

    @command(Effect.READ, example={"target_c": 100.0})
    async def is_set(self, *, target_c: Celsius) -> bool:
        """Say yes."""
        return True


class RepeatsPulses(GoodToy):
    """Declares a pulse repeatable that is not."""

    @command(Effect.IDEMPOTENT, late_max_s=0.25)
    async def pulse(self) -> None:
        """Fire a pulse."""
        await self._ask("PULSE", Effect.IDEMPOTENT)


class Whatever:
    """Takes what has come for a whole message."""

    def take(self, buffer):
        return (bytes(buffer), len(buffer)) if buffer else None


class TakesHalfNumbers(GoodToy):
    """Parses whatever has come."""

    @command(Effect.READ)
    async def read_setpoint(self) -> Celsius:
        """Read the target."""
        reply = await self._link.exchange(b"SP?\n", framing=Whatever(), timeout_s=1.0, effect=Effect.READ)
        return float(reply.decode("latin-1").partition("=")[2].partition("#")[0].strip() or "nan")


class Clamps(GoodToy):
    """Clamps what is out of limits, and has no limits declared."""

    @command(Effect.VERIFIABLE, verify="is_set", late_max_s=0.25, example={"target_c": 100.0})
    async def set_temperature(self, *, target_c: float) -> None:
        """Set the target."""
        await self._ask(f"SP {min(500.0, float(target_c))!r}", Effect.VERIFIABLE)


class Hangs(GoodToy):
    """Waits for ever when the device does not answer."""

    @command(Effect.READ)
    async def read_setpoint(self) -> Celsius:
        """Read the target."""
        while True:
            try:
                return await self._number("SP?")
            except Unreadable:
                await self._clock.sleep(60.0)


class Undeclared(GoodToy):
    """Has a public action that declares nothing, no manifest and no stop."""

    manifest = None
    stop = None

    async def blow_up(self) -> None:
        """Do something."""
        await self._ask("PULSE", Effect.READ)
