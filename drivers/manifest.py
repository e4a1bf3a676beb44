"""Manifests: what must be known of a driver before it is let near hardware."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a driver says of its device; every driver class has one as `manifest`."""

    maker: str
    model: str
    wires: tuple[str, ...]
    """The schemes of the URLs that it can be opened with (see `drivers.links.url`), the usual one first."""
    manual: str
    """The public document that the protocol is taken from."""
    if_host_dies: str
    """What the device does when its controller falls silent: goes on, stops, holds."""
    unverified: str = ""
    """The parts of the protocol that no public document confirms; with any, opening real hardware warns."""
    simulator: str = ""
    """The world that simulates it, as in ``sim:NAME``; empty where there is none."""


def warn_unverified(driver: type, url: str) -> None:
    """Warn that a driver whose protocol is not confirmed opens real hardware."""
    manifest = getattr(driver, "manifest", None)
    if manifest is None:
        log.warning("unverified_driver driver=%s url=%s: it has no manifest", driver.__name__, url)
    elif manifest.unverified:
        log.warning("unverified_driver driver=%s url=%s: %s", driver.__name__, url, manifest.unverified)


def unfit_link(driver: type, url: str) -> str:
    """Say why a driver cannot use a link of a URL's kind; nothing where it can, or where its manifest does not say."""
    manifest = getattr(driver, "manifest", None)
    scheme = url.partition(":")[0]
    spoken = "serial" if scheme == "rfc2217" else scheme
    if manifest is None or scheme == "sim" or spoken in manifest.wires:
        return ""
    return f"{url!r} gives {scheme}, but {driver.__name__} speaks {', '.join(manifest.wires)}"


def missing_facts(manifest: Manifest | None) -> list[str]:
    """Name what a manifest leaves out."""
    if manifest is None:
        return ["manifest"]
    optional = ("unverified", "simulator")
    return [item.name for item in fields(manifest) if item.name not in optional and not getattr(manifest, item.name)]
