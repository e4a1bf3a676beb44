"""The simulated lg-LSA film station: laser, stage, spectrometer and camera around one wafer.

What scorers and checkers find in the world's file (instruments and controllers know nothing of it):

    world                       name, seed, options, and when the world began (s)
    stage                       the last move: start, target (um), speed at the start, when it began
    laser                       settings, shutter, and the job in progress or last done
    shot/N                      each shot fired, N from 1; see `simulators.wafer.Wafer`. `truth` is the film's
    spectrometer                exposure and averages
    spectrometer/frame/TAG      place (um), shots fired by then, when it began and ended, exposure, averages
    camera/frame/TAG            place (um), shots fired by then, when it ended
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.camera import Camera
from simulators.instruments.laser import Laser
from simulators.instruments.spectrometer import Spectrometer
from simulators.instruments.stage import Stage
from simulators.materials.detector import Detector
from simulators.materials.film import FilmMaterial, FilmOptions
from simulators.wafer import Wafer
from simulators.world import Instrument, WorldFile, claim

CAMERA_NOISE = 2.0
"""Standard deviation of a camera pixel, in steps of 255."""


class FilmStation:
    """The world ``film-station``.

    Args:
        state: The world's own file.
        clock: The time; end times are written in it, so it must survive a restart.
        seed: Of everything that chance decides.
        options: Of the film and its disturbances; see `FilmOptions`.

    Raises:
        ValueError: The options are wrong, or the file belongs to a world with another seed or other options.
    """

    name = "film-station"

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        film_options = FilmOptions.from_mapping(options)
        film = FilmMaterial(seed, film_options)
        self._state = state
        began_s = claim(state, self.name, seed=seed, options=options, began_s=clock.now_s())
        self._wafer = Wafer(film, state)
        self._stage = Stage(state=state, clock=clock, settle=self._settle)
        self._laser = Laser(state=state, clock=clock, settle=self._settle, last_shot=self._last_shot)
        view = _View(self._stage, self._wafer, clock, seed, film_options, began_s)
        self.instruments: dict[str, Instrument] = {
            "laser": self._laser,
            "stage": self._stage,
            "spectrometer": Spectrometer(view, state=state, clock=clock, settle=self._settle),
            "camera": Camera(view, state=state, clock=clock, settle=self._settle),
        }
        self._settle()

    @classmethod
    def open(cls, path: Path, *, clock: Now, seed: int, options: Mapping[str, Any]) -> FilmStation:
        """Construct the world on its state file; arguments and errors as in the constructor."""
        return cls(state=WorldFile(path), clock=clock, seed=seed, options=options)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with options, as sentences."""
        try:
            FilmOptions.from_mapping(options)
        except ValueError as error:
            return [str(error)]
        return []

    @classmethod
    def pool(cls, options: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Return None: any recipe within the limits can be made."""
        return None

    @property
    def latest_s(self) -> float:
        """When an instrument last did something."""
        return self._state.latest_s

    def close(self) -> None:
        """Release the world's file."""
        self._state.close()

    def _settle(self) -> None:
        """Carry out the shot whose moment has come, before anything else can move.

        The stage cannot have begun another move since, so its last one tells where it was at that moment.
        """
        job = self._laser.due_job
        if job is not None:
            x_um, y_um = self._stage.position_um(job["fires_s"])
            rows = self._wafer.shoot(x_um=x_um, y_um=y_um, time_s=job["fires_s"], job=job)
            self._state.update(rows | self._laser.fired())
            facts = {name: job[name] for name in ("tag", "peak_temperature_c", "dwell_us")}
            self._state.note_act("shot", once=True, facts=facts, at_s=job["fires_s"])

    def _last_shot(self) -> tuple[int, str, float, float, float] | None:
        shot = self._wafer.last_shot
        if shot is None:
            return None
        energy_fraction = shot["truth"]["energy_fraction"]
        return self._wafer.n_shots, shot["tag"], shot["peak_temperature_c"], shot["dwell_us"], energy_fraction


class _View:
    """What spectrometer and camera see: the place under the beam when the shutter opened."""

    def __init__(self, stage: Stage, wafer: Wafer, clock: Now, seed: int, options: FilmOptions, began_s: float) -> None:
        self._stage = stage
        self._wafer = wafer
        self._clock = clock
        self._seed = seed
        self._noise = CAMERA_NOISE if options.noise else 0.0
        self._detector = Detector(seed, options)
        self._began_s = began_s
        self.wavelength_nm: NDArray[np.float64] = FilmMaterial.wavelength_nm
        self.saturation_counts = self._detector.saturation_counts

    def here(self) -> Mapping[str, Any]:
        """Return the place and how many shots were fired by now."""
        x_um, y_um = self._stage.position_um(self._clock.now_s())
        return {"x_um": x_um, "y_um": y_um, "n_shots": self._wafer.n_shots}

    def counts(
        self, here: Mapping[str, Any], *, began_s: float, exposure_s: float, averages: int, tag: str
    ) -> NDArray[np.float64]:
        """Return ``1200`` counts."""
        target = self._wafer.target_at(here["x_um"], here["y_um"])
        is_film = target == "film"
        return self._detector.counts(
            self._wafer.reflectance(here["x_um"], here["y_um"], here["n_shots"]) if is_film else None,
            target=target,
            time_s=began_s - self._began_s,
            exposure_s=exposure_s,
            averages=averages,
            tag=tag,
        )

    def picture(self, here: Mapping[str, Any], *, offset_mm: NDArray[np.float64], rows: int, tag: str) -> bytes:
        """Return ``rows x m x 3`` bytes."""
        x_um = here["x_um"] + 1000 * offset_mm
        line = self._wafer.rgb(x_um, here["y_um"], here["n_shots"]).astype(float)
        noise = self._noise * generator(self._seed, "picture", tag).standard_normal((rows, *line.shape))
        return np.clip(np.rint(line + noise), 0, 255).astype(np.uint8).tobytes()
