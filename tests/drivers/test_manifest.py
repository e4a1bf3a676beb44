import logging
from dataclasses import replace

import pytest

from drivers.manifest import Manifest, missing_facts, warn_unverified

WHOLE = Manifest(maker="m", model="o", wires=("serial",), manual="a book", if_host_dies="Holds.")


def driver(manifest):
    return type("Oven", (), {"manifest": manifest})


def test_what_a_manifest_leaves_out_is_named():
    assert missing_facts(WHOLE) == []
    assert missing_facts(replace(WHOLE, manual="", wires=())) == ["wires", "manual"]
    assert missing_facts(None) == ["manifest"]


@pytest.mark.parametrize(
    ("manifest", "told"),
    [(WHOLE, ""), (replace(WHOLE, unverified="the letters of STOP"), "the letters of STOP"), (None, "no manifest")],
    ids=["verified", "unverified", "none"],
)
def test_an_unverified_driver_warns(caplog, manifest, told):
    with caplog.at_level(logging.WARNING):
        warn_unverified(driver(manifest), "serial:///dev/ttyUSB0")
    assert told in caplog.text and bool(told) == bool(caplog.records)
