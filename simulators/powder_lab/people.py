r"""People in the laboratory: what a simulated person does by hand, told in lines over TCP, and a client that tells it.

    look\n                          ->  {"places": {...}, "floor": [...], ...}\n
    restock BaCO3 200000\n          ->  ok the cartridge of doser-1 holds 200000 mg\n
    clear floor\n                   ->  ok 1 swept up\n
    free arm-1\n                    ->  no arm-1 is moving\n

Every act is in the world's log as ``person``. A person does not reach between moving arms: then the answer is ``no``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from drivers.command import Effect
from drivers.links.base import Link
from drivers.links.framing import Line
from simulators.instruments.base import FramedInstrument, Now
from simulators.world import WorldFile

REPLY_S = 5.0


class NotDone(Exception):
    """A person cannot do that now; says why."""


class Hands(Protocol):
    """What a person can do here. Each returns what to say of it, or raises `NotDone`."""

    def look(self) -> Mapping[str, Any]:
        """Return places and contents."""
        ...

    def restock(self, material: str, mass_mg: float) -> str:
        """Change a cartridge for one with so much in it."""
        ...

    def fill_magazine(self, number: int) -> str:
        """Put fresh crucibles into the magazine."""
        ...

    def clear_floor(self) -> str:
        """Sweep up what has fallen."""
        ...

    def free(self, device: str) -> str:
        """Set a door, a doser or an arm free; what an arm held is taken away."""
        ...

    def take(self, place: str) -> str:
        """Take a container away."""
        ...

    def put(self, container: str, place: str) -> str:
        """Put a container that was taken away at a place."""
        ...

    def straighten(self, place: str) -> str:
        """Set straight what stands askew."""
        ...

    def enclosure(self, target: str) -> str:
        """Open or close the enclosure."""
        ...


class People(FramedInstrument):
    """The port through which a person is told what to do."""

    wire = "tcp"

    def __init__(self, hands: Hands, *, state: WorldFile, clock: Now) -> None:
        super().__init__(Line(), state=state, clock=clock)
        self._hands = hands

    def answer(self, request: bytes) -> bytes | None:
        """Do what one line says."""
        words = request.decode("latin-1").split()
        try:
            if words == ["look"]:
                return self._framing.wrap(json.dumps(self._hands.look()).encode())
            said = self._act(words)()
        except (NotDone, ValueError) as error:
            return self._framing.wrap(f"no {error}".encode("latin-1", "replace"))
        self._did("person", by="person", act=" ".join(words))
        return self._framing.wrap(f"ok {said}".encode("latin-1"))

    def _act(self, words: list[str]) -> Callable[[], str]:
        hands = self._hands
        match words:
            case ["restock", material, mass_mg]:
                return lambda: hands.restock(material, float(mass_mg))
            case ["fill", "magazine", number]:
                return lambda: hands.fill_magazine(int(number))
            case ["clear", "floor"]:
                return hands.clear_floor
            case ["free", device]:
                return lambda: hands.free(device)
            case ["take", place]:
                return lambda: hands.take(place)
            case ["put", container, place]:
                return lambda: hands.put(container, place)
            case ["straighten", place]:
                return lambda: hands.straighten(place)
            case ["open" | "close" as verb, "enclosure"]:
                return lambda: hands.enclosure("open" if verb == "open" else "closed")
        raise NotDone(
            "say look, restock MATERIAL MG, fill magazine N, clear floor, free DEVICE, take PLACE, "
            "put CONTAINER PLACE, straighten PLACE, open enclosure, or close enclosure"
        )


class PeopleClient:
    """Tells a simulated person what to do.

    Args:
        link: To the instrument ``people``.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def connect(self) -> None:
        """Open the link."""
        await self._link.open()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    async def look(self) -> dict[str, Any]:
        """Return places and contents."""
        return json.loads(await self._ask("look"))

    async def do(self, act: str) -> str:
        """Have something done; returns what the person says of it.

        Raises:
            NotDone: It cannot be done now; says why.
        """
        reply = await self._ask(act)
        head, _, rest = reply.partition(" ")
        if head != "ok":
            raise NotDone(f"{act}: {rest}")
        return rest

    async def _ask(self, text: str) -> str:
        framing = Line()
        reply = await self._link.exchange(
            framing.wrap(text.encode("latin-1")), framing=framing, timeout_s=REPLY_S, effect=Effect.OPERATOR
        )
        return reply.decode("latin-1")
