"""A laboratory with an act that nothing can settle, for tests: a doser, an oven and a scale that serve three at once.

One JSON object a line, each way. Doses are given when asked for, however often that is; the oven knows its orders by
their tag.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from drivers.capabilities import Identity
from drivers.command import Effect, Quantity, command
from drivers.instruments.waiting import seen_as_done, wait_until_done
from drivers.links.framing import Line
from simulators.instruments.base import FramedInstrument
from simulators.world import WorldFile

DOSE_S, HEAT_S = 20.0, 600.0
_LINE = Line()


class _Driver:
    def __init__(self, link, clock, *, name):
        self.name = name
        self._link = link
        self._clock = clock

    async def connect(self) -> Identity:
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        return Identity(maker="tests", model=self.name, serial="1", firmware="1")

    async def _ask(self, effect: Effect, do: str, **facts: Any) -> dict[str, Any]:
        request = _LINE.wrap(json.dumps({"do": do, **facts}).encode())
        return json.loads(await self._link.exchange(request, framing=_LINE, timeout_s=5.0, effect=effect))

    async def _over(self, do: str, tag: str, effect: Effect) -> None:
        async def poll() -> float:
            return (await self._ask(effect, "remaining", of=do, tag=tag))["remaining_s"]

        await wait_until_done(self._clock, await poll(), poll, at_most_s=3600.0)


class Doser(_Driver):
    """Gives doses, and cannot say later whether it gave one."""

    @command(Effect.OPERATOR, timeout_s=60.0)
    async def dispense(self, *, volume_ml: Annotated[float, Quantity("mL", 0.0, 10.0)], tag: str) -> None:
        await self._ask(Effect.OPERATOR, "dispense", volume_ml=volume_ml, tag=tag)
        await self._over("dispense", tag, Effect.OPERATOR)


class Oven(_Driver):
    @command(Effect.VERIFIABLE, verify="has_heated", timeout_s=1200.0)
    async def heat(self, *, target_c: Annotated[float, Quantity("Cel", 0.0, 500.0)], tag: str) -> None:
        await self._ask(Effect.VERIFIABLE, "heat", target_c=target_c, tag=tag)
        await self._over("heat", tag, Effect.VERIFIABLE)

    @command(Effect.READ, timeout_s=1200.0)
    async def has_heated(self, *, target_c: float, tag: str) -> bool:
        if not (await self._ask(Effect.READ, "knows", of="heat", tag=tag))["known"]:
            return False
        await self._over("heat", tag, Effect.READ)
        await seen_as_done(self._clock)
        return True


class Scale(_Driver):
    @command(Effect.READ)
    async def weigh(self, *, tag: str) -> float:
        return (await self._ask(Effect.READ, "weigh", tag=tag))["value"]


class _Instrument(FramedInstrument):
    def answer(self, request: bytes) -> bytes | None:
        asked = json.loads(request)
        return _LINE.wrap(json.dumps(getattr(self, f"_{asked.pop('do')}")(**asked)).encode())

    def _dispense(self, *, volume_ml: float, tag: str) -> dict[str, Any]:
        return self._begin("dispense", tag, DOSE_S, volume_ml)

    def _heat(self, *, target_c: float, tag: str) -> dict[str, Any]:
        known = self._state.get(f"heat/{tag}") is not None
        return {} if known else self._begin("heat", tag, HEAT_S, target_c)

    def _begin(self, what: str, tag: str, seconds: float, value: float) -> dict[str, Any]:
        times = self._state.get(f"{what}/{tag}", {"times": 0})["times"] + 1
        until_s = self._clock.now_s() + seconds
        self._state.update({f"{what}/{tag}": {"until_s": until_s, "value": value, "times": times}})
        return {}

    def _knows(self, *, of: str, tag: str) -> dict[str, Any]:
        return {"known": self._state.get(f"{of}/{tag}") is not None}

    def _remaining(self, *, of: str, tag: str) -> dict[str, Any]:
        return {"remaining_s": self._remaining_s(self._state.get(f"{of}/{tag}")["until_s"])}

    def _weigh(self, *, tag: str) -> dict[str, Any]:
        trial = tag.partition(".")[0]
        doses = [self._state.get(key)["value"] for key in self._state.keys(f"dispense/{trial}.")]
        heats = [self._state.get(key)["value"] for key in self._state.keys(f"heat/{trial}.")]
        return {"value": sum(doses) - 0.001 * sum(heats)}


class Kitchen:
    """The world ``sim:kitchen``."""

    def __init__(self, state, clock):
        self._state = state
        self.instruments = {name: _Instrument(_LINE, state=state, clock=clock) for name in ("doser", "oven", "scale")}

    @classmethod
    def open(cls, path: Path, *, clock, seed, options):
        return cls(WorldFile(path), clock)

    @classmethod
    def check(cls, options):
        return []

    @classmethod
    def pool(cls, options):
        return None

    @property
    def latest_s(self):
        return self._state.latest_s

    def close(self):
        self._state.close()
