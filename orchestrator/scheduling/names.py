"""What the board calls devices, places and homes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.scheduling.layout import Layout

A_HOME = "@home"
"""What admission claims: one of the homes, whichever is free. (That every sample names all of them in its claim would
make the board's work grow with the square of their number.)"""


def at(place: str) -> str:
    """Return the board's name of a place; devices go by their own."""
    return f"@{place}"


def limited(layout: Layout, places: Iterable[str]) -> set[str]:
    """Return the board's names of those places that can be full."""
    return {at(place) for place in places if place not in layout.unlimited}


def board_names(layout: Layout, devices: Mapping[str, int]) -> dict[str, int]:
    """Return how many owners each device and each place that can be full serves at once."""
    places = [place for place in layout.places if place not in layout.unlimited]
    return {**devices, **{at(place): 1 for place in places}, A_HOME: len(layout.homes)}
