"""The wafer under the beam: which shots were fired where, and what lies at a place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simulators.materials.film import WAFER_RADIUS_MM, FilmMaterial
from simulators.world import WorldFile

Array = NDArray[np.float64]
Target = Literal["film", "mirror", "blank"]

HALF_WIDTH_UM = 2000
"""A stripe reaches so far from its centre along x."""
HALF_LENGTH_UM = 500
"""A stripe reaches so far from its centre along y."""
MIRROR_UM = (-74_000, 0)
"""The mirror coupon; the blank one, at (74,000, 0), looks like any place where there is nothing."""
COUPON_RADIUS_UM = 1500


class Wafer:
    """One wafer with its stripes, and the reference coupons beside it. Places are whole micrometres.

    Shots are rows ``shot/N`` of the world's file, N from 1: `tag`, `x_um`, `y_um`, `time_s`, the requested
    `peak_temperature_c` and `dwell_us`, and `truth`, what the film did.
    """

    def __init__(self, film: FilmMaterial, state: WorldFile) -> None:
        self._film = film
        self._state = state
        self._shots: list[dict[str, Any]] = []
        self._rows: dict[int, dict[int, list[int]]] = {}
        for number in range(1, 1 + sum(1 for _ in state.keys("shot/"))):
            self._remember(state.get(f"shot/{number}"))

    @property
    def n_shots(self) -> int:
        """How many shots were fired."""
        return len(self._shots)

    @property
    def last_shot(self) -> Mapping[str, Any] | None:
        """The last shot's row."""
        return self._shots[-1] if self._shots else None

    def shoot(self, *, x_um: int, y_um: int, time_s: float, job: Mapping[str, Any]) -> dict[str, Any]:
        """Fire a shot and return its rows for the world's file; the caller writes them."""
        settings = {key: job[key] for key in ("peak_temperature_c", "dwell_us")}
        earlier = len(self._rows.get(y_um, {}).get(x_um, ()))
        truth = self._film.shoot(x_mm=x_um / 1000, y_mm=y_um / 1000, shot_number=earlier, **settings)
        shot = {"tag": job["tag"], "x_um": x_um, "y_um": y_um, "time_s": time_s, **settings, "truth": truth}
        self._remember(shot)
        return {f"shot/{self.n_shots}": shot}

    def target_at(self, x_um: int, y_um: int) -> Target:
        """Say what lies at a place; beside the wafer there is nothing that reflects."""
        lies = _targets(np.array([float(x_um)]), y_um)
        return "mirror" if lies["mirror"][0] else "film" if lies["film"][0] else "blank"

    def reflectance(self, x_um: int, y_um: int, n_shots: int) -> Array:
        """Return the film's ``1200`` reflectances at a place, as they were after so many shots."""
        place = np.array([float(x_um)])
        ((shots, offset_mm, _),) = self._stripes_under(place, y_um, n_shots)
        return self._film.reflectance(shots, offset_mm)[0]

    def rgb(self, x_um: Array, y_um: int, n_shots: int) -> NDArray[np.uint8]:
        """Return ``m x 3`` colours along x, as they were after so many shots: film, white mirror, black nothing."""
        colours = np.zeros((len(x_um), 3), dtype=np.uint8)
        for shots, offset_mm, where in self._stripes_under(x_um, y_um, n_shots):
            colours[where] = self._film.rgb(shots, offset_mm)
        lies = _targets(x_um, y_um)
        colours[lies["mirror"]] = 255
        colours[lies["blank"]] = 0
        return colours

    def _stripes_under(
        self, x_um: Array, y_um: int, n_shots: int
    ) -> Iterable[tuple[Sequence[dict[str, Any]], Array, NDArray[np.bool_]]]:
        """Part ``m`` places by the nearest stripe; one that no stripe reaches is film as deposited."""
        sites = self._sites_near(y_um, n_shots)
        nearest = np.full(len(x_um), -1)
        distance = np.full(len(x_um), HALF_WIDTH_UM + 0.5)
        for index, (x, _) in enumerate(sites):
            is_nearer = np.abs(x_um - x) < distance
            nearest[is_nearer] = index
            distance[is_nearer] = np.abs(x_um - x)[is_nearer]
        for index in np.unique(nearest).tolist():
            where = nearest == index
            x, numbers = sites[index] if index >= 0 else (0, [])
            yield [self._shots[number]["truth"] for number in numbers], (x_um[where] - x) / 1000, where

    def _sites_near(self, y_um: int, n_shots: int) -> list[tuple[int, list[int]]]:
        """Return x and shots of the sites that reach to a y, as they were after so many shots."""
        rows = [row for y, row in self._rows.items() if abs(y - y_um) <= HALF_LENGTH_UM]
        sites = ((x, [number for number in numbers if number < n_shots]) for row in rows for x, numbers in row.items())
        return [(x, numbers) for x, numbers in sites if numbers]

    def _remember(self, shot: dict[str, Any]) -> None:
        self._rows.setdefault(shot["y_um"], {}).setdefault(shot["x_um"], []).append(len(self._shots))
        self._shots.append(shot)


def _targets(x_um: Array, y_um: int) -> dict[Target, NDArray[np.bool_]]:
    """Part ``m`` places along x by what lies there."""
    x_mirror, y_mirror = MIRROR_UM
    mirror = np.hypot(x_um - x_mirror, y_um - y_mirror) <= COUPON_RADIUS_UM
    film = (np.hypot(x_um, y_um) <= 1000 * WAFER_RADIUS_MM) & ~mirror
    parts: dict[Target, NDArray[np.bool_]] = {"mirror": mirror, "film": film, "blank": ~(mirror | film)}
    return parts
