"""The liquid dispenser: a Cavro XLP type syringe pump with named reagents, and the station controller on its line.

The pump moves to absolute positions, which may be asked for twice. Before an order draws, and again before it gives,
it is marked in the station controller with its tag: the mark and the plunger's position together tell how far an
order came, whoever asks. The driver itself remembers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from drivers.capabilities import Dispensed, Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, Rejected
from drivers.instruments.acting import after_acting
from drivers.instruments.oem_block import Answer
from drivers.instruments.oem_line import LATE_MAX_S, NOT_INITIALISED, OemLine, pump_error
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import checked_tag, finite
from drivers.links.base import Link, untrusted
from drivers.manifest import Manifest

STROKE = 6000
SPEED = 1400
"""Increments/s; a full stroke takes 4.4 s."""
POLL_S = 0.2
MOVE_S = 30.0
ORDER_S = 3 * MOVE_S
RESERVE_ML = 2.0
"""What a bottle keeps, so that the level sensor's error draws no air."""

PUMP, STATION = b"1", b"2"

Volume = Annotated[float, Quantity("mL", 0.01, 5.0, tolerance=0.05)]
Level = Annotated[float, Quantity("mL", 0.0, 5000.0, tolerance=1.0)]

NONE, FILLING, LOADED, DONE, WASTED = range(5)
"""How far the marked order has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Station:
    syringe_ml: float
    tip: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    phase: int
    port: int
    increments: int
    tag: str

    def text(self, phase: int) -> str:
        return f"{phase},{self.port},{self.increments},{self.tag}"


class LiquidDispenserDriver:
    """Driver of a syringe pump with a nine-port valve. Satisfies `Dispenser`, `Homeable` and `Stoppable`."""

    manifest = Manifest(
        maker="Tecan",
        model="Cavro XLP 6000, with the LD-9 station controller of labpilot",
        wires=("serial", "tcp", "rfc2217"),
        manual="Cavro XLP 6000 Modular Syringe Pump Operating Manual, 734237-C, chapter 3 (the pump); "
        "the docstring of simulators/instruments/liquid_dispenser.py (the station controller, our own)",
        if_host_dies="The pump finishes the move that it was given: at most one stroke.",
        unverified="that ZR empties into the last port; the letters I<n> and O<n> for a nine-port valve",
        simulator="liquid-dispenser/pump",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "dispenser") -> None:
        self.name = name
        self._link = link
        self._line = OemLine(link)
        self._clock = clock
        self._stops = 0

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read who is there: the pump's firmware, and the station's maker, model and serial number."""
        pump = await self._line.report(PUMP, "?23", Effect.READ)
        words = (await self._line.report(STATION, "?23", Effect.READ)).split(",")
        if len(words) != 4 or not pump:
            raise self._link.distrust(f"{pump!r} and {words} are no identity", effect=Effect.READ)
        return Identity(maker=words[0], model=words[1], serial=words[2], firmware=f"{words[3]}; pump {pump}")

    @command(Effect.READ)
    async def reagents(self) -> dict[str, int]:
        """Read which reagents there are, and the valve port of each."""
        ports = {port: await self._level(port, Effect.READ) for port in range(1, 10)}
        return {name: port for port, (name, _) in ports.items() if name != "-"}

    @command(Effect.READ, example={"material": "water"})
    async def remaining_ml(self, *, material: str) -> Level:
        """Read what is left of a reagent, in mL."""
        return (await self._bottle(material, Effect.READ))[1]

    @command(Effect.READ)
    async def is_ready(self) -> bool:
        """Read whether the pump is initialised and idle."""
        answer = await self._line.ask(PUMP, "Q", Effect.READ)
        return answer.is_ready and answer.error == 0

    @command(
        Effect.VERIFIABLE,
        verify="is_dispensed",
        timeout_s=ORDER_S,
        late_max_s=LATE_MAX_S,
        example={"material": "water", "volume_ml": 0.5, "tag": "check-1"},
        after=("home",),
    )
    async def dispense(self, *, material: str, volume_ml: Volume, tag: str) -> Dispensed:
        """Draw a reagent and give it through the tip; an order of this tag is never given twice.

        Raises:
            Rejected: Too little is left, the reagent is unknown, the pump is busy or not initialised; nothing moved.
            DeviceFault: The order was stopped, or the pump is blocked.
        """
        order, station = await self._order(material, volume_ml, tag)
        stops, mark = self._stops, await self._mark(Effect.READ)
        if mark.tag != tag:
            await self._refuse_unready(mark, material, volume_ml)
        else:
            self._refuse_other(mark, order)
            if mark.phase != DONE:
                await self._wait(Effect.READ, has_moved=mark.phase == LOADED)
        if mark.tag != tag or mark.phase != DONE:
            is_loaded = mark.tag == tag and mark.phase == LOADED
            await after_acting(self._carry_out(order, station.tip, stops, is_loaded=is_loaded))
        given_ml = order.increments * station.syringe_ml / STROKE
        return Dispensed(material=material, amount=given_ml, requested=volume_ml, tag=tag)

    @command(Effect.READ, timeout_s=2 * MOVE_S, example={"material": "water", "volume_ml": 0.5, "tag": "check-1"})
    async def is_dispensed(self, *, material: str, volume_ml: Volume, tag: str) -> bool:
        """Say whether the order of this tag was given, once a move of it that is in progress is over.

        Raises:
            DeviceFault: That cannot be known: the pump lost power with the order in the syringe.
        """
        order, _ = await self._order(material, volume_ml, tag)
        mark = await self._mark(Effect.READ)
        if mark.tag != tag:
            return False
        self._refuse_other(mark, order)
        if mark.phase != LOADED:
            return mark.phase == DONE
        await self._wait(Effect.READ, has_moved=True)
        return await self._position(Effect.READ) == 0

    @command(Effect.IDEMPOTENT, timeout_s=2 * MOVE_S, late_max_s=LATE_MAX_S)
    async def home(self) -> None:
        """Initialise the pump: what the syringe holds goes to waste, and an order that was in it is marked so."""
        mark = await self._mark(Effect.READ)
        if mark.phase == LOADED:
            answer = await self._settled(Effect.READ)
            is_given = answer.error == 0 and await self._position(Effect.READ) == 0
            await self._set_mark(mark, DONE if is_given else WASTED, Effect.IDEMPOTENT)
        await self._settled(Effect.READ)
        await self._line.order(PUMP, "ZR", Effect.IDEMPOTENT)
        await after_acting(self._wait(Effect.IDEMPOTENT))

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Stop the plunger at once; the valve finishes its turn, and the rest of the order is not given."""
        self._stops += 1
        await self._line.order(PUMP, "T", Effect.IDEMPOTENT, urgent=True)

    async def _order(self, material: str, volume_ml: float, tag: str) -> tuple[_Mark, _Station]:
        checked_tag(tag)
        station = await self._station()
        port, _ = await self._bottle(material, Effect.READ)
        increments = round(volume_ml / station.syringe_ml * STROKE)
        if not 1 <= increments <= STROKE:
            raise Rejected(f"{volume_ml} mL is no stroke of a syringe of {station.syringe_ml:g} mL; nothing was moved")
        return _Mark(phase=NONE, port=port, increments=increments, tag=tag), station

    async def _refuse_unready(self, mark: _Mark, material: str, volume_ml: float) -> None:
        """Refuse a new order where another one is unfinished, or the pump or the bottle is not ready."""
        answer = await self._line.ask(PUMP, "Q", Effect.READ)
        if not answer.is_ready:
            raise Rejected(f"the pump is busy with order {mark.tag!r}; wait for it, or stop it")
        if answer.error:
            raise pump_error(answer.error)
        if await self._position(Effect.READ) != 0:
            raise Rejected(f"order {mark.tag!r} is still in the syringe: repeat it, or send it to waste with home()")
        left_ml = (await self._bottle(material, Effect.READ))[1]
        if left_ml < volume_ml + RESERVE_ML:
            raise Rejected(
                f"{left_ml:.1f} mL of {material} are left, {volume_ml:g} mL and {RESERVE_ML:g} mL of reserve are "
                "needed; nothing was moved. Refill it"
            )

    def _refuse_other(self, mark: _Mark, order: _Mark) -> None:
        if (mark.port, mark.increments) != (order.port, order.increments):
            raise Rejected(f"order {mark.tag!r} was another reagent or volume; give this one a tag of its own")
        if mark.phase == WASTED:
            problem = f"order {mark.tag!r} went to waste, perhaps in part, when the pump was initialised"
            raise DeviceFault(f"{problem}; look at what was made, then order with a new tag", needs_operator=True)

    async def _carry_out(self, order: _Mark, tip: int, stops: int, *, is_loaded: bool) -> None:
        """Draw, unless that has been done, and give."""
        if not is_loaded:
            await self._set_mark(order, FILLING)
            await self._move(f"V{SPEED}I{order.port}A{order.increments}R", order.increments, stops)
            await self._set_mark(order, LOADED)
        await self._move(f"V{SPEED}O{tip}A0R", 0, stops)
        await self._set_mark(order, DONE)

    async def _move(self, program: str, target: int, stops: int) -> None:
        """Run a program that ends with the plunger at a target, and see that it got there."""
        self._refuse_stopped(stops)
        try:
            answer = await self._line.order(PUMP, program, Effect.VERIFIABLE)
        finally:
            if self._stops != stops:  # a stop overtakes what waits for its turn on the line: this program came after it
                await self._line.order(PUMP, "T", Effect.IDEMPOTENT, urgent=True)
        self._refuse_stopped(stops)
        if answer.error:
            raise pump_error(answer.error)
        await self._wait(Effect.VERIFIABLE, has_moved=True)
        reached = await self._position(Effect.VERIFIABLE)
        if reached != target:
            problem = f"the plunger was stopped at {reached} on its way to {target}"
            raise DeviceFault(f"{problem}; repeat the order, or send it to waste with home()", code="stopped")

    def _refuse_stopped(self, stops: int) -> None:
        if self._stops != stops:
            raise DeviceFault("the order was stopped; repeat it, or send it to waste with home()", code="stopped")

    async def _wait(self, effect: Effect, *, has_moved: bool = False) -> None:
        """Wait until the pump is idle.

        Raises:
            DeviceFault: It is in error by then, or lost power on its way.
            Rejected: It is not initialised.
        """
        answer = await self._settled(effect)
        if answer.error == NOT_INITIALISED and has_moved:
            problem = "the pump lost power with an order in the syringe: how much of it was given is not known"
            raise DeviceFault(f"{problem}; look, then home()", code="7", needs_operator=True)
        if answer.error:
            raise pump_error(answer.error)

    async def _settled(self, effect: Effect) -> Answer:
        answer = await self._line.ask(PUMP, "Q", effect)

        async def poll() -> float:
            nonlocal answer
            answer = await self._line.ask(PUMP, "Q", effect)
            return 0.0 if answer.is_ready else POLL_S

        if not await wait_until_done(self._clock, 0.0 if answer.is_ready else POLL_S, poll, at_most_s=MOVE_S):
            raise untrusted(f"the pump is still busy after {MOVE_S:g} s", effect=effect)
        return answer

    async def _position(self, effect: Effect) -> int:
        text = await self._line.report(PUMP, "?4", effect)
        if not text.isdecimal() or int(text) > STROKE:
            raise self._link.distrust(f"{text!r} is no plunger position", effect=effect)
        return int(text)

    async def _station(self) -> _Station:
        words = (await self._line.report(STATION, "C", Effect.READ)).split(",")
        if len(words) != 5 or not words[3].isdecimal():
            raise self._link.distrust(f"{words} does not describe a station", effect=Effect.READ)
        return _Station(syringe_ml=self._millilitres(words[0], words[1], Effect.READ), tip=int(words[3]))

    async def _bottle(self, material: str, effect: Effect) -> tuple[int, float]:
        """Return port and level of a reagent."""
        names: list[str] = []
        for port in range(1, 10):
            name, left_ml = await self._level(port, effect)
            if name == material:
                return port, left_ml
            names.append(name)
        known = ", ".join(name for name in names if name != "-")
        raise Rejected(f"there is no reagent {material!r}; the station has {known or 'none'}; nothing was moved")

    async def _level(self, port: int, effect: Effect) -> tuple[str, float]:
        words = (await self._line.report(STATION, f"L{port}", effect)).split(",")
        if len(words) != 3:
            raise self._link.distrust(f"{words} is no level", effect=effect)
        return words[0], self._millilitres(words[1], words[2], effect)

    def _millilitres(self, number: str, unit: str, effect: Effect) -> float:
        if unit != "mL":
            raise self._link.distrust(f"the station shows {unit!r} and not mL; switch it back", effect=effect)
        try:
            return finite(number)
        except ValueError as error:
            raise self._link.distrust(f"{number!r} is no volume: {error}", effect=effect) from None

    async def _mark(self, effect: Effect) -> _Mark:
        return self._marked(await self._line.report(STATION, "J", effect), effect)

    def _marked(self, text: str, effect: Effect) -> _Mark:
        try:
            phase, port, increments, tag = text.split(",")
            return _Mark(phase=int(phase), port=int(port), increments=int(increments), tag=tag)
        except ValueError:
            raise self._link.distrust(f"{text!r} is no mark of an order", effect=effect) from None

    async def _set_mark(self, mark: _Mark, phase: int, effect: Effect = Effect.VERIFIABLE) -> None:
        wanted = mark.text(phase)
        await self._line.order(STATION, f"J{wanted}", effect)
        written = await self._line.report(STATION, "J", effect)
        if written != wanted:
            raise self._link.distrust(f"the station marked {written!r} and not {wanted!r}", effect=effect)
