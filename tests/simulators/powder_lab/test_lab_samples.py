"""Eight crucibles through the whole laboratory, with the drivers that a real one would have."""

import numpy as np
import pytest

from drivers.errors import Rejected
from tests.simulators.powder_lab.rig import RECIPE_MG, SCAN, Rig, program


async def life(rig, count=8):
    for number in range(1, count + 1):
        await rig.carry("magazine", "dosing")
        await rig.do("balance", "tare")
        for index, (material, mass_mg) in enumerate(RECIPE_MG.items(), 1):
            tag = f"dose-{number}-{material}"
            order = {"material": material, "amount_mg": mass_mg, "tolerance_mg": 2.0, "tag": tag}
            await rig.do(f"doser-{index}", "dispense", **order)
        weight_g = await rig.do("balance", "weigh")
        assert weight_g == pytest.approx(1e-3 * sum(RECIPE_MG.values()), abs=0.003)
        await rig.carry("dosing", "mill")
        await rig.do("mill", "run", duration_s=600.0, frequency_hz=5.0, tag=f"mill-{number}")
        await rig.carry("mill", f"home-{number:02d}")
    await rig.do("door-1", "open_door")
    for number in range(1, count + 1):
        await rig.carry(f"home-{number:02d}", "bridge", f"box-1-{number}")
    await rig.do("door-1", "close_door")
    await rig.fire("box-1", program(hold_s=4 * 3600.0))
    await rig.do("door-1", "open_door")
    for number in range(1, count + 1):
        await rig.carry(f"box-1-{number}", "bridge", f"home-{number:02d}")
    await rig.do("door-1", "close_door")
    await rig.carry("home-01", "bridge", "grinder")
    await rig.do("grinder", "run", duration_s=120.0, frequency_hz=2.0, tag="regrind")
    await rig.carry("grinder", "xrd-2")
    await rig.do("diffractometer", "load_sample", position=2, tag="load")
    pattern = await rig.do("diffractometer", "scan", **SCAN, tag="scan/1")
    await rig.do("diffractometer", "unload_sample", position=2)
    await rig.carry("xrd-2", "bridge", "chute")
    return pattern


@pytest.fixture(scope="module")
def lived():
    rig = Rig()
    return rig, rig.run(life)


def test_barium_carbonate_and_titania_become_barium_titanate(lived):
    rig, pattern = lived
    for number in range(1, 9):
        assert rig.lab.room.powder(f"crucible-{number:06d}").weights["BaTiO3-tetragonal"] > 0.9
    angles, counts = np.asarray(pattern.two_theta_deg), np.asarray(pattern.counts)
    assert angles[np.argmax(counts)] == pytest.approx(31.55, abs=0.2)
    assert counts[np.abs(angles - 23.9) < 0.15].max() < 0.1 * counts.max()


def test_nothing_that_should_not_have_happened_did(lived):
    rig, _ = lived
    assert rig.check() == []
    assert rig.state.get("container/crucible-000001")["at"] == "chute"
    homes = [rig.state.get(f"container/crucible-{number:06d}")["at"] for number in range(2, 9)]
    assert homes == [f"home-{number:02d}" for number in range(2, 9)]
    assert rig.state.get("magazine") == {"left": 392, "fetched": 8}


def test_mass_goes_where_it_should(lived):
    rig, _ = lived
    powder = rig.lab.room.powder("crucible-000002")
    assert powder.mass_mg + powder.released_mg == pytest.approx(sum(RECIPE_MG.values()), abs=2.0)
    assert dict(powder.released_fmol)["CO2"] > 0


def test_a_file_is_the_same_whenever_it_is_fetched(lived):
    rig, pattern = lived
    again = rig.again()
    fetched = again.run(lambda rig: rig.do("diffractometer", "scan", **SCAN, tag="scan/1"))
    assert fetched.file == pattern.file
    assert len(again.acts("measure")) == 1


def test_every_instrument_of_the_contract_is_there():
    rig = Rig()
    rig.loop.close()
    instruments = rig.lab.instruments
    boxes = [f"{kind}-{number}" for kind in ("box", "door") for number in range(1, 5)]
    dosers = [f"doser-{number}" for number in range(1, 5)]
    others = ["arm-1", "arm-2", "balance", "mill", "grinder", "diffractometer", "enclosure", "people"]
    assert sorted(instruments) == sorted([*boxes, *dosers, *others])
    wires = {name: instruments[name].wire for name in ("box-1", "door-1", "arm-1", "doser-1")}
    assert wires == {"box-1": "modbus+tcp", "door-1": "http", "arm-1": "tcp", "doser-1": "serial"}


def test_what_stays_in_a_furnace_is_fired_again():
    async def twice(rig):
        rig.conjure("box-2-1", {"witherite": 592.0, "anatase": 240.0})
        await rig.fire("box-2", program(600.0, 600.0))
        await rig.fire("box-2", program(700.0, 600.0))
        await rig.do("door-2", "open_door")
        await rig.carry("box-2-1", "bridge")

    rig = Rig()
    rig.run(twice)
    powder = rig.lab.room.powder("crucible-000001")
    hours = [rig.state.get(key) for key in rig.state.keys("box-2/hot/")]
    hot_c = [temperature_c for hour in hours for _, temperature_c in hour]
    assert powder.highest_c == max(hot_c) == pytest.approx(700.0, abs=10.0)
    assert powder.fired_minutes == len(hot_c)
    assert len(rig.acts("program")) == 2 and rig.check() == []


@pytest.mark.parametrize("carry_over", [0.0, 0.003], ids=["clean", "dirty"])
def test_a_mortar_carries_a_little_over_to_the_next_sample(carry_over):
    async def regrind(rig):
        for number, masses_mg in enumerate(({"CoO": 500.0}, {"anatase": 500.0}), 1):
            rig.conjure("grinder", masses_mg)
            await rig.do("grinder", "run", duration_s=60.0, frequency_hz=2.0, tag=f"g{number}")
            await rig.carry("grinder", f"xrd-{number}")

    rig = Rig(options={"faults": {"carry_over": carry_over}})
    rig.run(regrind)
    cobalt = rig.lab.room.powder("crucible-000002").weights.get("CoO", 0.0)
    assert cobalt == pytest.approx(carry_over, rel=0.9) and (cobalt > 0.0) == (carry_over > 0.0)


@pytest.mark.parametrize("way", [("home-01", "xrd-1"), ("home-01", "magazine"), ("chute", "home-01")], ids="-".join)
def test_a_way_that_an_arm_cannot_go_is_no_program(way):
    rig = Rig()
    with pytest.raises(Rejected, match="File not found"):
        rig.run(lambda rig: rig.do("arm-1", "transfer", source=way[0], destination=way[1], tag="x"))


def test_a_crucible_is_fetched_until_the_magazine_is_empty():
    async def fetch(rig):
        await rig.carry("magazine", "home-01")
        with pytest.raises(Rejected, match="source_empty"):
            await rig.do("arm-1", "transfer", source="magazine", destination="home-02", tag="x")
        assert await rig.person("fill magazine 5") == "1 added, 1 are there"
        await rig.carry("magazine", "home-02")

    rig = Rig(options={"crucibles": 1})
    rig.run(fetch)
    assert rig.state.get("container/crucible-000002")["at"] == "home-02"
