"""The hands of a simulated person in the powder laboratory: what they do when a controller asks for help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers.clock import Clock
from simulators.powder_lab.people import NotDone, PeopleClient

TRIES = 60
PAUSE_S = 30.0
"""Between two tries: nobody reaches between moving arms."""
CRUCIBLES = 400
CARTRIDGE_MG = 200_000.0


class LabAttendant:
    """Sees to what a controller closed or waits for.

    Args:
        resolve: Opens an instrument of the world by its name.
        clock: The time.
    """

    def __init__(self, resolve: Callable[[str], Any], clock: Clock) -> None:
        self._resolve = resolve
        self._clock = clock

    async def see_to(self, kind: str, facts: Mapping[str, Any]) -> str:
        """Do what is needed, and say what was done."""
        client = PeopleClient(self._resolve("people"))
        await client.connect()
        try:
            acts = self._acts(kind, facts, await client.look())
            return ", ".join([await self._done(client, act) for act in acts]) or "nothing was amiss"
        finally:
            await client.close()

    def _acts(self, kind: str, facts: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
        match kind:
            case "lost":
                standing = [place for place in facts["places"] if place in seen["places"]]
                return ["clear floor", f"free {facts['robot']}", *(f"take {place}" for place in standing)]
            case "askew":
                return [f"straighten {facts['place']}"]
            case "furnace":
                return [f"free {facts['door']}"] if facts.get("door") in seen["jammed"] else []
            case "trip":
                return [f"free {device}" for device in facts["devices"] if device in seen["jammed"]]
            case "restock":
                return [f"fill magazine {CRUCIBLES}"]
            case "device":
                return self._device(str(facts["device"]), str(facts["code"]), seen)
        return []

    def _device(self, device: str, code: str, seen: Mapping[str, Any]) -> list[str]:
        if device in seen["clogged"]:
            return [f"free {device}"]
        low = [material for material, left_mg in seen["stock_mg"].items() if left_mg < 0.05 * CARTRIDGE_MG]
        return [f"restock {material} {CARTRIDGE_MG:g}" for material in low] if code == "empty" else []

    async def _done(self, client: PeopleClient, act: str) -> str:
        problem = ""
        for _ in range(TRIES):
            try:
                return await client.do(act)
            except NotDone as error:
                problem = str(error)
                if "moving" not in problem:
                    break
            await self._clock.sleep(PAUSE_S)
        return problem
