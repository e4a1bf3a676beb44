"""A benchtop diffractometer in automation mode (PANalytical Aeris): TCP text, a sample changer, result files in XRDML.

What is measured, and how, has the name of an application, which must exist at the instrument. This driver asks for
``START-STOP_STEP_TIMEs``, ``10-80_0.02_0.1s`` say. The result file bears the tag, so that a scan which was made already
is never made again. It comes through a gateway that answers ``@LABPILOT`` messages, or from the folder that the
instrument shares; see docs/instruments/diffractometer.md.
"""

from __future__ import annotations

from typing import Annotated

from drivers.capabilities import Identity, Pattern
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, Rejected
from drivers.instruments.automation import Automation, Place, Result, XrdState, sample_id
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import checked_tag
from drivers.instruments.xrd_scan import SCAN_S, ScanOrder, check_same, checked_scan
from drivers.instruments.xrdml import BadFile, read_xrdml
from drivers.links.base import Link, untrusted
from drivers.manifest import Manifest

LATE_MAX_S = 1.0
POLL_S = 0.5
LOOK_S = 5.0
"""A measurement is looked at at least this often, in case it ends before its time."""
MOVE_S = 60.0
INSIDE = 0

_AT = {"position": 2}

Angle = Annotated[float, Quantity("deg", 4.0, 142.0)]
Step = Annotated[float, Quantity("deg", 0.001, 1.0)]
CountTime = Annotated[float, Quantity("s", 0.01, 1000.0)]
Position = Annotated[int, Quantity("1", 1, 6)]


class DiffractometerDriver:
    """Driver of an Aeris. Satisfies `Diffractometer` and `Stoppable`.

    Args:
        link: To the automation port, or to the gateway in front of it.
        clock: The time.
        name: Of the device.
        results_dir: The folder that the instrument shares its result files in; empty where a gateway hands them out.
    """

    manifest = Manifest(
        maker="Malvern Panalytical",
        model="Aeris",
        wires=("tcp",),
        manual=(
            "alab_control (CederGroupHub), alab_control/diffractometer_aeris/aeris.py, for the messages; XRDML schemas "
            "XRDMeasurement 1.x and 2.x for the files. The maker's is the Aeris Automation Manual, 4023 002 89451"
        ),
        if_host_dies="Finishes the measurement that runs, writes its file, and starts nothing else.",
        unverified=(
            "The layout of replies (only READY=, SYSTEM=, STATE= and the word 'fatal' are confirmed), ERROR=, "
            "SAMPLE_ID= in a location's status, place 0 as the measuring position, several sample ids for one place. "
            "The @LABPILOT messages (identity, result, stop) are our own: a gateway must answer them."
        ),
        simulator="diffractometer",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "xrd", results_dir: str = "") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._wire = Automation(link, results_dir=results_dir)

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware; the last two are empty without a gateway."""
        await self._wire.is_remote(Effect.READ)  # only a device that speaks this language answers
        return await self._wire.identity()

    @command(Effect.READ)
    async def state(self) -> XrdState:
        """Read whether it is ready, whether it takes commands, and which sample it holds."""
        inside = await self._wire.place(INSIDE, Effect.READ)
        return XrdState(
            is_ready=await self._wire.is_ready(Effect.READ),
            is_remote=await self._wire.is_remote(Effect.READ),
            is_loaded=inside.is_occupied,
            sample=inside.sample,
        )

    @command(
        Effect.VERIFIABLE,
        verify="is_loaded",
        timeout_s=3 * MOVE_S,
        late_max_s=LATE_MAX_S,
        example=_AT,
    )
    async def load_sample(self, *, position: Position, tag: str) -> None:
        """Take the sample at a place of the changer into the measuring position, known by the tag from then on.

        Raises:
            Rejected: Nothing lies there, another sample is inside, or the device is busy; nothing was moved.
            DeviceFault: The changer did not bring it.
        """
        position = _whole(position)
        effect, name = Effect.VERIFIABLE, sample_id(checked_tag(tag))
        inside = await self._wire.place(INSIDE, Effect.READ)
        if _is(inside, name):
            return
        if inside.is_occupied:
            raise Rejected(f"sample {inside.sample or 'of an unknown name'} is inside; unload it first")
        await self._check_ready()
        if not (await self._wire.place(position, Effect.READ)).is_occupied:
            raise Rejected(f"no sample lies at position {position}; nothing was moved")
        await self._wire.forget(position, effect)
        await self._wire.add(name, position, ScanOrder(**_ANY).application, effect)
        await self._wire.move(name, position, INSIDE, effect)
        await self._until_moved(INSIDE, effect)
        inside = await self._wire.place(INSIDE, effect)
        if not _is(inside, name):
            raise DeviceFault(
                f"the changer brought {inside.sample!r}, not {name!r}", code="changer", needs_operator=True
            )

    @command(Effect.READ, timeout_s=1.5 * MOVE_S, example=_AT)
    async def is_loaded(self, *, position: Position, tag: str) -> bool:
        """Say whether the sample of this tag is in the measuring position, once the changer stands still."""
        await self._until_ready()
        return _is(await self._wire.place(INSIDE, Effect.READ), sample_id(checked_tag(tag)))

    @command(
        Effect.VERIFIABLE,
        verify="is_unloaded",
        timeout_s=3 * MOVE_S,
        late_max_s=LATE_MAX_S,
        example=_AT,
        after=("load_sample",),
    )
    async def unload_sample(self, *, position: Position) -> None:
        """Put the sample in the measuring position back to a place of the changer.

        Raises:
            Rejected: Nothing is inside, that place is taken, or the device is busy; nothing was moved.
            DeviceFault: The changer did not take it there.
        """
        effect, position = Effect.VERIFIABLE, _whole(position)
        place = await self._wire.place(position, Effect.READ)
        if not (await self._wire.place(INSIDE, Effect.READ)).is_occupied:
            if place.is_occupied:
                return
            raise Rejected("no sample is in the measuring position; nothing was moved")
        if place.is_occupied:
            raise Rejected(f"position {position} is taken; nothing was moved")
        await self._check_ready()
        await self._wire.move("", INSIDE, position, effect)
        await self._until_moved(position, effect)

    @command(Effect.READ, timeout_s=1.5 * MOVE_S, example=_AT)
    async def is_unloaded(self, *, position: Position) -> bool:
        """Say whether the measuring position is empty and that place is not, once the changer stands still."""
        await self._until_ready()
        is_inside = (await self._wire.place(INSIDE, Effect.READ)).is_occupied
        return not is_inside and (await self._wire.place(_whole(position), Effect.READ)).is_occupied

    @command(
        Effect.IDEMPOTENT,
        timeout_s=SCAN_S + 600.0,
        late_max_s=LATE_MAX_S,
        example={"start_deg": 24.0, "stop_deg": 27.0, "step_deg": 0.05, "count_time_s": 5.0},
        after=("load_sample",),
    )
    async def scan(
        self, *, start_deg: Angle, stop_deg: Angle, step_deg: Step, count_time_s: CountTime, tag: str
    ) -> Pattern:
        """Measure the loaded sample and wait, or return what was measured under this tag.

        Raises:
            Rejected: No sample is inside, the application does not exist, the door is open, or the device is busy.
            DeviceFault: The measurement broke off.
        """
        scan = checked_scan(
            ScanOrder(start_deg=start_deg, stop_deg=stop_deg, step_deg=step_deg, count_time_s=count_time_s)
        )
        effect, name = Effect.IDEMPOTENT, sample_id(checked_tag(tag))
        result = await self._wire.result(name, Effect.READ)
        if result.state not in ("done", "measuring"):
            await self._begin(scan, name, effect)
        if result.state != "done":
            result = await self._until_measured(scan, name, effect)
        if result.state != "done":
            needs_operator = result.reason != "stopped"
            reason = result.reason or result.state
            raise DeviceFault(f"the measurement broke off: {reason}", code=reason, needs_operator=needs_operator)
        return self._pattern(result.file, scan, name, tag)

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """End the measurement that runs and close the shutter; the changer finishes what it carries."""
        await self._wire.stop()

    async def _begin(self, scan: ScanOrder, name: str, effect: Effect) -> None:
        await self._check_ready()
        if not (await self._wire.place(INSIDE, Effect.READ)).is_occupied:
            raise Rejected("no sample is in the measuring position; call load_sample() first")
        await self._wire.add(name, INSIDE, scan.application, effect)
        await self._wire.measure(name, scan.application, effect)

    async def _check_ready(self) -> None:
        if not await self._wire.is_remote(Effect.READ):
            raise Rejected("the diffractometer is in local control; give control to remote at its screen")
        if not await self._is_soon_ready():
            raise Rejected("the diffractometer is busy; nothing was started")

    async def _until_ready(self) -> None:
        if not await self._is_soon_ready():
            raise untrusted(f"the diffractometer is still busy after {MOVE_S:g} s", effect=Effect.READ)

    async def _is_soon_ready(self) -> bool:
        """Wait for what is over in a moment: a starting tube, the changer."""

        async def poll() -> float:
            return 0.0 if await self._wire.is_ready(Effect.READ) else POLL_S

        return await wait_until_done(self._clock, await poll(), poll, at_most_s=MOVE_S)

    async def _until_moved(self, to: int, effect: Effect) -> None:
        async def poll() -> float:
            is_there = await self._wire.is_ready(effect) and (await self._wire.place(to, effect)).is_occupied
            return 0.0 if is_there else POLL_S

        if not await wait_until_done(self._clock, POLL_S, poll, at_most_s=MOVE_S):
            problem = f"the changer brought nothing to place {to} in {MOVE_S:g} s"
            raise DeviceFault(problem, code="changer", needs_operator=True)

    async def _until_measured(self, scan: ScanOrder, name: str, effect: Effect) -> Result:
        due_s = self._clock.now_s() + scan.lasts_s
        result = Result(state="measuring")

        async def poll() -> float:
            nonlocal result
            left_s = due_s - self._clock.now_s()
            if await self._wire.is_ready(effect):
                result = await self._wire.result(name, effect)
                if result.state in ("done", "failed") or left_s <= 0.0:  # a device may take a while to begin
                    return 0.0
            return min(max(left_s, POLL_S), LOOK_S)

        at_most_s = 2.0 * scan.lasts_s + 60.0
        if not await wait_until_done(self._clock, POLL_S, poll, at_most_s=at_most_s):
            raise untrusted(f"the diffractometer still measures after {at_most_s:.0f} s", effect=effect)
        return result

    def _pattern(self, file: bytes, scan: ScanOrder, name: str, tag: str) -> Pattern:
        try:
            found = read_xrdml(file)
        except BadFile as error:
            raise self._link.distrust(f"the file of {tag!r}: {error}", effect=Effect.IDEMPOTENT) from None
        if found.sample_id != name:
            raise self._link.distrust(f"the file is of {found.sample_id!r}, not {name!r}", effect=Effect.IDEMPOTENT)
        check_same(found, scan, tag)
        return Pattern(
            two_theta_deg=found.two_theta_deg,
            counts=found.counts,
            wavelength_angstrom=found.wavelength_angstrom,
            count_time_s=found.count_time_s,
            tag=tag,
            file=file.decode("utf-8-sig"),
        )


_ANY = {"start_deg": 10.0, "stop_deg": 80.0, "step_deg": 0.02, "count_time_s": 0.1}
"""A sample cannot be made known without an application; which one does not matter before it is measured."""


def _is(place: Place, name: str) -> bool:
    return place.is_occupied and place.sample in (None, name)


def _whole(position: float) -> int:
    """Return a position of the changer, which may have come as ``2.0``.

    Raises:
        Rejected: It lies between two.
    """
    if position != int(position):
        raise Rejected(f"position = {position} is no whole number; nothing was sent")
    return int(position)
