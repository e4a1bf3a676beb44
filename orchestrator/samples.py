"""Where samples lie in a laboratory: nowhere that we know, on a wafer, or in racks that robots serve."""

from __future__ import annotations

import math
from functools import cache, cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from orchestrator.fields import Millimetres, PositiveMillimetres, StrictModel, mistake
from orchestrator.mistakes import TAG
from orchestrator.scheduling.layout import BadRange, Layout, Station, places_of, problems
from orchestrator.yaml_source import kind_of


class NoSamples(StrictModel):
    """Samples that the devices keep to themselves."""

    kind: Literal["none"] = Field(default="none", description="none")


class Wafer(StrictModel):
    """A round wafer whose sites lie on a grid, one sample each."""

    kind: Literal["wafer"] = Field(description="wafer")
    stage: str = Field(min_length=1, description="The device that moves the wafer")
    diameter_mm: PositiveMillimetres = Field(alias="diameter", description="Usable diameter, '140 mm'")
    pitch_mm: tuple[PositiveMillimetres, PositiveMillimetres] = Field(
        alias="pitch", description="Distance of neighbouring sites along x and y, [4 mm, 2 mm]"
    )
    references_mm: dict[Literal["mirror", "blank"], tuple[Millimetres, Millimetres]] = Field(
        default_factory=dict, alias="references", description="Where the stage finds mirror and blank, [x, y]"
    )

    @model_validator(mode="after")
    def _holds_a_site(self) -> Wafer:
        across = self.diameter_mm / min(self.pitch_mm)
        if across > 2000:
            raise mistake(f"gives over {across:.0f} sites across a wafer of {self.diameter_mm:g} mm", at="pitch")
        if not self.sites():
            raise mistake(f"{self.diameter_mm:g} mm hold no site of {_by(self.pitch_mm)} mm", at="diameter")
        return self

    def sites(self) -> tuple[tuple[float, float], ...]:
        """Return the centres of all sites, (x, y) in mm from the wafer's centre, row by row from the lowest y.

        A site is a whole cell of the grid: one that crosses the edge is none.
        """
        return _sites(self.diameter_mm, *self.pitch_mm)


@cache
def _sites(diameter_mm: float, dx: float, dy: float) -> tuple[tuple[float, float], ...]:
    radius = diameter_mm / 2
    columns, rows = int(radius / dx), int(radius / dy)
    return tuple(
        (ix * dx, iy * dy)
        for iy in range(-rows, rows + 1)
        for ix in range(-columns, columns + 1)
        if math.hypot(abs(ix) * dx + dx / 2, abs(iy) * dy + dy / 2) <= radius * (1 + 1e-12)
    )


def _expanded(value: object) -> object:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        return value  # said by the type
    try:
        return list(places_of([str(name) for name in value]))
    except BadRange as error:
        raise mistake(str(error)) from None


Places = Annotated[
    tuple[str, ...],
    BeforeValidator(_expanded),
    Field(min_length=1, description="Names of places; home-01..home-48 stands for 48 of them"),
]


class StationPlaces(StrictModel):
    """Devices that work on what stands at some places."""

    places: Places
    devices: tuple[str, ...] = Field(min_length=1, description="Devices that work on what stands there, [balance]")


class Racks(StrictModel):
    """Containers in racks, which robots carry to stations and back."""

    kind: Literal["racks"] = Field(description="racks")
    homes: Places = Field(description="Places of which each sample has one for as long as it is in the laboratory")
    magazine: str = Field(min_length=1, description="The place that new containers come from")
    chute: str = Field(min_length=1, description="The place that containers leave the laboratory through")
    robots: dict[str, Places] = Field(min_length=1, description="Places that each robot reaches, by device")
    stations: dict[str, StationPlaces] = Field(min_length=1, description="Stations by name")
    materials: dict[str, str] = Field(default_factory=dict, description="Which powder each dispenser holds, by device")

    @model_validator(mode="after")
    def _fits_together(self) -> Racks:
        for problem in problems(self.layout):
            raise mistake(problem)
        return self

    @cached_property
    def layout(self) -> Layout:
        """The places, as the scheduler knows them."""
        return Layout(
            homes=self.homes,
            magazine=self.magazine,
            chute=self.chute,
            reach=self.robots,
            stations={
                name: Station(places=station.places, devices=station.devices) for name, station in self.stations.items()
            },
        )


def _samples_tag(value: Any) -> str:
    kind = value.get("kind", "none") if isinstance(value, dict) else getattr(value, "kind", "none")
    return f"{TAG}{kind}"


def _known_samples(value: object) -> object:
    if not isinstance(value, dict | NoSamples | Wafer | Racks):
        raise mistake(f"must be a mapping with 'kind: wafer', 'kind: racks' or 'kind: none', got {kind_of(value)}")
    if isinstance(value, dict) and "kind" not in value:
        raise mistake("missing key: wafer, racks or none", at="kind")
    if isinstance(value, dict) and value["kind"] not in ("none", "wafer", "racks"):
        raise mistake(f"must be wafer, racks or none, got {kind_of(value['kind'])}", at="kind")
    return value


Samples = Annotated[
    Annotated[NoSamples, Tag(TAG + "none")]
    | Annotated[Wafer, Tag(TAG + "wafer")]
    | Annotated[Racks, Tag(TAG + "racks")],
    Discriminator(_samples_tag),
    BeforeValidator(_known_samples),
]


def _by(pitch_mm: tuple[float, float]) -> str:
    return f"{pitch_mm[0]:g} x {pitch_mm[1]:g}"
