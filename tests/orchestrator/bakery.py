"""A laboratory with racks, for tests: two arms, a doser and a scale, a mill, two ovens with doors, a camera.

One JSON object a line, each way. Every act takes a while, is known by its tag, and is noted in the world's file; what
must never happen (two trays at one place, an arm at a closed door, an oven that bakes with its door open) is noted too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from drivers.capabilities import Dispensed, Identity
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, Rejected
from drivers.instruments.waiting import seen_as_done, wait_until_done
from drivers.links.framing import Line
from simulators.chance import generator
from simulators.instruments.base import FramedInstrument
from simulators.world import WorldFile

MOVE_S, DOSE_S, MILL_S, DOOR_S, SNAP_S = 20.0, 10.0, 60.0, 5.0, 40.0
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

    @command(Effect.IDEMPOTENT)
    async def stop(self) -> None:
        await self._ask(Effect.IDEMPOTENT, "stop")

    async def _ask(self, effect: Effect, do: str, **facts: Any) -> dict[str, Any]:
        request = _LINE.wrap(json.dumps({"do": do, **facts}).encode())
        return json.loads(await self._link.exchange(request, framing=_LINE, timeout_s=5.0, effect=effect))

    async def _act(self, do: str, tag: str, **facts: Any) -> None:
        answer = await self._ask(Effect.VERIFIABLE, do, tag=tag, **facts)
        if "refused" in answer:
            raise Rejected(answer["refused"])
        await self._over(tag, Effect.VERIFIABLE)
        failed = (await self._ask(Effect.VERIFIABLE, "became", tag=tag))["became"]
        if failed != "done":
            raise DeviceFault(f"it ended with {failed}", code=failed, needs_operator=True)

    async def _over(self, tag: str, effect: Effect) -> None:
        async def poll() -> float:
            return (await self._ask(effect, "remaining", tag=tag))["remaining_s"]

        await wait_until_done(self._clock, await poll(), poll, at_most_s=86400.0)

    async def _did(self, tag: str) -> bool:
        if (await self._ask(Effect.READ, "became", tag=tag))["became"] == "absent":
            return False
        await self._over(tag, Effect.READ)
        await seen_as_done(self._clock)
        return (await self._ask(Effect.READ, "became", tag=tag))["became"] == "done"


class Arm(_Driver):
    @command(Effect.READ)
    async def is_holding(self) -> bool | None:
        return None

    @command(Effect.VERIFIABLE, verify="has_transferred", timeout_s=120.0)
    async def transfer(self, *, source: str, destination: str, tag: str) -> None:
        await self._act("transfer", tag, source=source, destination=destination)

    @command(Effect.READ, timeout_s=120.0)
    async def has_transferred(self, *, source: str, destination: str, tag: str) -> bool:
        return await self._did(tag)


class Doser(_Driver):
    @command(Effect.VERIFIABLE, verify="has_dispensed", recall="dispensed", timeout_s=120.0)
    async def dispense(
        self,
        *,
        material: str,
        amount_mg: Annotated[float, Quantity("mg", 0.0, 5000.0)],
        tolerance_mg: Annotated[float, Quantity("mg", 0.0, 100.0)],
        tag: str,
    ) -> Dispensed:
        await self._act("dispense", tag, amount_mg=amount_mg, material=material)
        return Dispensed(material=material, amount=amount_mg, requested=amount_mg, tag=tag)

    @command(Effect.READ)
    async def dispensed(self, *, tag: str) -> Dispensed:
        job = (await self._ask(Effect.READ, "job", tag=tag))["job"]
        return Dispensed(material=job["material"], amount=job["amount_mg"], requested=job["amount_mg"], tag=tag)

    @command(Effect.READ, timeout_s=120.0)
    async def has_dispensed(self, *, material: str, amount_mg: float, tolerance_mg: float, tag: str) -> bool:
        return await self._did(tag)


class Scale(_Driver):
    @command(Effect.READ)
    async def weigh(self) -> float:
        return (await self._ask(Effect.READ, "weigh"))["value"]

    @command(Effect.IDEMPOTENT)
    async def tare(self) -> None:
        await self._ask(Effect.IDEMPOTENT, "stop")


class Mill(_Driver):
    @command(Effect.VERIFIABLE, verify="has_run", timeout_s=1200.0)
    async def run(
        self,
        *,
        duration_s: Annotated[float, Quantity("s", 0.0, 1000.0)],
        frequency_hz: Annotated[float, Quantity("Hz", 0.0, 50.0)],
        tag: str,
    ) -> None:
        await self._act("mill", tag, duration_s=duration_s)

    @command(Effect.READ, timeout_s=1200.0)
    async def has_run(self, *, duration_s: float, frequency_hz: float, tag: str) -> bool:
        return await self._did(tag)


class Oven(_Driver):
    @command(Effect.READ)
    async def read_temperature(self) -> float:
        return (await self._ask(Effect.READ, "temperature"))["value"]

    @command(Effect.READ)
    async def read_setpoint(self) -> float:
        return 0.0

    @command(Effect.IDEMPOTENT)
    async def set_temperature(
        self,
        *,
        target_c: Annotated[float, Quantity("Cel", 0.0, 1200.0)],
        rate_k_per_min: Annotated[float, Quantity("K/min", 0.0, 100.0)],
    ) -> None:
        await self._ask(Effect.IDEMPOTENT, "stop")

    @command(Effect.VERIFIABLE, verify="has_started", timeout_s=60.0)
    async def run_profile(self, *, segments: Any, tag: str) -> None:
        answer = await self._ask(Effect.VERIFIABLE, "bake", tag=tag, segments=segments)
        if "refused" in answer:
            raise Rejected(answer["refused"])

    @command(Effect.READ, timeout_s=60.0)
    async def has_started(self, *, segments: Any, tag: str) -> bool:
        return (await self._ask(Effect.READ, "became", tag=tag))["became"] != "absent"

    @command(Effect.READ)
    async def remaining_s(self) -> float:
        return (await self._ask(Effect.READ, "baking"))["remaining_s"]

    @command(Effect.READ)
    async def program_state(self) -> str:
        return (await self._ask(Effect.READ, "baking"))["state"]


class Door(_Driver):
    @command(Effect.IDEMPOTENT, timeout_s=60.0)
    async def open_door(self) -> None:
        await self._turn("open")

    @command(Effect.IDEMPOTENT, timeout_s=60.0)
    async def close_door(self) -> None:
        await self._turn("closed")

    @command(Effect.READ)
    async def door_state(self) -> str:
        return (await self._ask(Effect.READ, "door"))["state"]

    async def _turn(self, wanted: str) -> None:
        await self._ask(Effect.IDEMPOTENT, "turn", wanted=wanted)
        await self._clock.sleep(DOOR_S)


class Camera(_Driver):
    @command(Effect.VERIFIABLE, verify="is_loaded", timeout_s=60.0)
    async def load_sample(self, *, position: Annotated[float, Quantity("1", 1.0, 9.0)], tag: str) -> None:
        await self._act("take_in", tag, position=int(position))

    @command(Effect.READ, timeout_s=60.0)
    async def is_loaded(self, *, position: float, tag: str) -> bool:
        return await self._did(tag)

    @command(Effect.IDEMPOTENT, timeout_s=60.0)
    async def unload_sample(self, *, position: Annotated[float, Quantity("1", 1.0, 9.0)]) -> None:
        await self._ask(Effect.IDEMPOTENT, "put_back", position=int(position))

    @command(Effect.IDEMPOTENT, timeout_s=600.0)
    async def scan(
        self,
        *,
        start_deg: Annotated[float, Quantity("deg", 0.0, 180.0)],
        stop_deg: Annotated[float, Quantity("deg", 0.0, 180.0)],
        step_deg: Annotated[float, Quantity("deg", 0.0, 180.0)],
        count_time_s: Annotated[float, Quantity("s", 0.0, 100.0)],
        tag: str,
    ) -> dict[str, Any]:
        await self._act("scan", tag)
        return (await self._ask(Effect.READ, "picture", tag=tag))["picture"]


class _Instrument(FramedInstrument):
    def __init__(self, name, bakery, **more):
        super().__init__(_LINE, **more)
        self.name, self.bakery = name, bakery

    def answer(self, request: bytes) -> bytes | None:
        asked = json.loads(request)
        self.bakery.advance()
        answer = getattr(self.bakery, f"do_{asked.pop('do')}")(self.name, **asked)
        self.bakery.state.commit()
        return _LINE.wrap(json.dumps(answer).encode())


class _Whole:
    """The world's file, written once for each request: what happens in it happens whole, however many keys it has."""

    def __init__(self, file):
        self.file, self.changes = file, {}

    def get(self, key, default=None):
        return self.changes[key] if key in self.changes else self.file.get(key, default)

    def keys(self, prefix):
        new = [key for key in self.changes if key.startswith(prefix)]
        return dict.fromkeys([*self.file.keys(prefix), *new])

    def update(self, items):
        self.changes.update(items)

    def put(self, **items):
        self.update(items)

    def note_act(self, what, *, once, facts, at_s):
        number = self.get("n_acts", 0)
        act = {"what": what, "once": once, "facts": facts, "at_s": at_s}
        self.update({f"act/{number:06d}": act, "n_acts": number + 1})

    def commit(self):
        changes, self.changes = self.changes, {}
        if changes:
            self.file.update(changes)

    def close(self):
        self.file.close()


class Bakery:
    """The world ``sim:bakery``."""

    DEVICES = ("arm-1", "arm-2", "doser", "scale", "mill", "oven-1", "oven-2", "door-1", "door-2", "camera")

    def __init__(self, state, clock, seed, options):
        self.state, self.clock, self.seed = _Whole(state), clock, seed
        self.options = {"drop": 0.0, "miss": 0.0, **options}
        if self.state.get("began") is None:
            self.state.put(began=True, trays=0, transfers=0)
        self.instruments = {name: _Instrument(name, self, state=state, clock=clock) for name in self.DEVICES}

    @classmethod
    def open(cls, path: Path, *, clock, seed, options):
        return cls(WorldFile(path), clock, seed, options)

    @classmethod
    def check(cls, options):
        return []

    @classmethod
    def pool(cls, options):
        return None

    @property
    def latest_s(self):
        return self.state.file.latest_s

    def close(self):
        self.state.close()

    # --- what time does

    def advance(self):
        """Carry out what has become due."""
        for key in [key for key in self.state.keys("running/") if self.state.get(key)]:
            job = self.state.get(key)
            if job["until_s"] <= self.clock.now_s() + 1e-6:
                getattr(self, f"end_{job['do']}")(job)
                self.state.update({key: None, f"job/{job['tag']}": {**job, "became": job.get("became", "done")}})

    def unsafe(self, what):
        self.state.note_act("unsafe", once=False, facts={"what": what}, at_s=self.clock.now_s())

    def begin(self, device, do, tag, lasts_s, **facts):
        known = self.state.get(f"job/{tag}")
        if known is not None:
            return {}
        running = self.state.get(f"running/{device}")
        if running:
            return {"refused": f"busy with {running['tag']}"}
        job = {"do": do, "tag": tag, "device": device, "until_s": self.clock.now_s() + lasts_s, **facts}
        self.state.update({f"job/{tag}": {**job, "became": "running"}, f"running/{device}": job})
        self.state.note_act(do, once=True, facts={"tag": tag, "device": device}, at_s=self.clock.now_s())
        return {}

    def at(self, place):
        return self.state.get(f"at/{place}")

    def put(self, place, tray):
        if self.at(place) and place != "bin":
            self.unsafe(f"{tray} put on {self.at(place)} at {place}")
        self.state.update({f"at/{place}": tray, f"tray/{tray}": {**self.tray(tray), "place": place}})

    def tray(self, tray):
        return self.state.get(f"tray/{tray}", {"doses": [], "milled": 0, "bakes": [], "place": ""})

    # --- what devices do

    def do_stop(self, device):
        return {}

    def do_remaining(self, device, tag):
        job = self.state.get(f"job/{tag}")
        return {"remaining_s": max(0.0, job["until_s"] - self.clock.now_s()) if job["became"] == "running" else 0.0}

    def do_became(self, device, tag):
        job = self.state.get(f"job/{tag}")
        return {"became": "absent" if job is None else job["became"]}

    def do_transfer(self, device, tag, source, destination):
        if self.state.get(f"job/{tag}") is None and source != "stack" and not self.at(source):
            return {"refused": f"nothing stands at {source}"}
        if self.state.get(f"job/{tag}") is None and destination != "bin" and self.at(destination):
            return {"refused": f"{destination} is taken"}
        return self.begin(device, "transfer", tag, MOVE_S, source=source, destination=destination)

    def end_transfer(self, job):
        number = self.state.get("transfers") + 1
        rng = generator(self.seed, "transfer", number)
        self.state.put(transfers=number)
        for place in (job["source"], job["destination"]):
            if place.startswith("oven") and self.do_door(f"door-{place[5]}")["state"] != "open":
                self.unsafe(f"{job['device']} at the closed door of {place}")
        if rng.random() < self.options["miss"]:
            job["became"] = "not_gripped"
            return
        tray = self.at(job["source"])
        if job["source"] == "stack":
            count = self.state.get("trays") + 1
            self.state.put(trays=count)
            tray = f"tray-{count}"
        else:
            self.state.update({f"at/{job['source']}": None})
        if rng.random() < self.options["drop"]:
            job["became"] = "dropped"
            self.state.update({f"tray/{tray}": {**self.tray(tray), "place": "floor"}})
            return
        self.put(job["destination"], tray)

    def do_dispense(self, device, tag, amount_mg, material):
        return self.begin(device, "dispense", tag, DOSE_S, amount_mg=amount_mg, material=material)

    def end_dispense(self, job):
        self._change("scale", "doses", lambda doses: [*doses, job["amount_mg"]])

    def do_job(self, device, tag):
        return {"job": self.state.get(f"job/{tag}")}

    def do_weigh(self, device):
        return {"value": sum(self.tray(self.at("scale") or "none")["doses"])}

    def do_mill(self, device, tag, duration_s):
        return self.begin(device, "mill", tag, MILL_S)

    def end_mill(self, job):
        self._change("mill", "milled", lambda milled: milled + 1)

    def _change(self, place, key, function):
        tray = self.at(place)
        if tray is None:
            self.unsafe(f"{key} of nothing at {place}")
            return
        row = self.tray(tray)
        self.state.update({f"tray/{tray}": {**row, key: function(row[key])}})

    def do_turn(self, device, wanted):
        oven = f"oven-{device[-1]}"
        if wanted == "open" and self.do_baking(oven)["state"] == "run":
            self.unsafe(f"the door of {oven} was opened while it baked")
        self.state.update({f"door/{device}": wanted})
        return {}

    def do_door(self, device):
        return {"state": self.state.get(f"door/{device}", "closed")}

    def do_bake(self, device, tag, segments):
        if self.do_door(f"door-{device[-1]}")["state"] != "closed":
            self.unsafe(f"{device} bakes with its door open")
        lasts_s = sum(segment["hold_s"] for segment in segments) + 3600.0
        return self.begin(device, "bake", tag, lasts_s, hottest_c=max(one["target_c"] for one in segments))

    def end_bake(self, job):
        for number in (1, 2):
            if self.at(f"{job['device']}-{number}"):
                self._change(f"{job['device']}-{number}", "bakes", lambda bakes: [*bakes, job["hottest_c"]])

    def do_baking(self, device):
        job = self.state.get(f"running/{device}")
        left_s = max(0.0, job["until_s"] - self.clock.now_s()) if job else 0.0
        return {"state": "run" if left_s else "complete", "remaining_s": left_s}

    def do_temperature(self, device):
        return {"value": 500.0 if self.do_baking(device)["state"] == "run" else 25.0}

    def do_take_in(self, device, tag, position):
        return self.begin(device, "take_in", tag, 5.0, position=position)

    def end_take_in(self, job):
        self.state.update({"inside": self.at(f"desk-{job['position']}")})

    def do_put_back(self, device, position):
        self.state.update({"inside": None})
        return {}

    def do_scan(self, device, tag):
        return self.begin(device, "scan", tag, SNAP_S)

    def end_scan(self, job):
        tray = self.state.get("inside")
        job["picture"] = {**self.tray(tray), "tray": tray} if tray else {}

    def do_picture(self, device, tag):
        picture = self.state.get(f"job/{tag}")["picture"]
        return {"picture": {"tray": float(picture["tray"][5:]), "bakes": float(len(picture["bakes"]))}}
