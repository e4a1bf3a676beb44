"""Campaigns with all that they name, sent as plain data."""

import hashlib
import resource
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.check import Ready, check_campaign
from orchestrator.errors import InputError
from orchestrator.points import candidates_of, known_of, refuse_changed
from orchestrator.series.parcels import Need, lacking, packed_up, refuse_drivers, unpacked
from orchestrator.sources import sources_of

EXAMPLES = Path(__file__).parents[3] / "examples"


def ready_of(example, *overrides):
    return check_campaign(EXAMPLES / example / "campaign.yaml", None, list(overrides)).require()


def sent(ready, folder):
    """Return a campaign as another machine has it, and its parcel."""
    parcel = packed_up(ready.campaign, ready.lab)
    needs = [Need.of(need.data()) for need in parcel.needs]
    data = unpacked(parcel.campaign, needs, parcel.contents, folder)
    return Ready.from_data(data, parcel.lab), parcel


def table(folder):
    """Write points of the photocatalysis campaign, with results."""
    liquids = ("cysteine", "nacl", "naoh", "pvp", "sds", "silicate", "acid_red", "rhodamine_b", "methylene_blue")
    rows = [",".join(["p10", *liquids, "hydrogen"])]
    rows += [",".join([f"{1 + 0.2 * n:.1f}", "0.5", *["0"] * 8, f"{0.1 * n}"]) for n in range(5)]
    path = folder / "points.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_campaign_without_files_is_its_data(tmp_path):
    ready = ready_of("photocatalysis")
    there, parcel = sent(ready, tmp_path)
    assert there.campaign == ready.campaign and there.lab == ready.lab
    assert not parcel.needs and not parcel.contents


def test_candidates_are_the_same_there(tmp_path):
    ready = ready_of("photocatalysis", f"candidates={table(tmp_path)}", "controls=[]")
    there, parcel = sent(ready, tmp_path / "there")
    assert str(tmp_path) not in str(parcel.campaign), "no path of this machine leaves it"
    assert there.campaign.candidates.table.startswith(str(tmp_path / "there"))
    ours, theirs = candidates_of(ready.campaign), candidates_of(there.campaign)
    assert {name: column.tolist() for name, column in ours.items()} == {
        name: column.tolist() for name, column in theirs.items()
    }


def test_tables_of_sources_are_the_same_there(tmp_path):
    ready = ready_of("photocatalysis_again")
    there, parcel = sent(ready, tmp_path)
    assert len(parcel.needs) == len(ready.campaign.sources) == 2
    ours, theirs = sources_of(ready.campaign), sources_of(there.campaign)
    assert [replace(one, at="") for one in ours] == [replace(one, at="") for one in theirs]


def test_a_pool_of_structures_is_the_same_there(tmp_path):
    ready = ready_of("crystals")
    there, parcel = sent(ready, tmp_path)
    assert any(name.endswith(".cif") for need in parcel.needs for name in need.files)
    refuse_changed(there.campaign)  # holds their SHA-256 against what the campaign says
    assert there.campaign.parameters[0].levels == ready.campaign.parameters[0].levels


def test_an_earlier_campaign_is_sent_as_its_journal(tmp_path):
    from orchestrator.execution import Settings
    from orchestrator.simulate import simulate

    earlier = ready_of("photocatalysis", "planner.policy=random", "budget.trials=4", "batch=4", "controls=[]")
    simulate(earlier, tmp_path / "earlier", Settings(is_virtual=True, fsync=False))
    ready = ready_of("photocatalysis_again", f"sources=[{{name: before, campaign: {tmp_path / 'earlier'}}}]")
    there, parcel = sent(ready, tmp_path / "there")
    assert {Path(name).name for need in parcel.needs for name in need.files} == {"campaign.json", "journal.sqlite"}
    assert [one.points for one in sources_of(ready.campaign)] == [one.points for one in sources_of(there.campaign)]


def test_what_is_known_beforehand_is_the_same_there(tmp_path):
    ready = ready_of("photocatalysis", f"known={table(tmp_path)}")
    there, _ = sent(ready, tmp_path / "there")
    assert known_of(there.campaign) == known_of(ready.campaign)


def test_recorded_durations_are_the_same_there(tmp_path):
    from orchestrator.charges import Charges, analysis_job, ask_job
    from surrogate.compute.costs import CostModel

    file = tmp_path / "durations.json"
    costs = CostModel().learned(ask_job("random", 1), "cpu", 3.0).learned(analysis_job("table"), "cpu", 5.0)
    costs.save(file)
    ready = ready_of("photocatalysis", "planner.policy=random", "planner.charge=recorded", f"durations={file}")
    there, parcel = sent(ready, tmp_path / "there")
    assert str(file) not in str(parcel.campaign), "no path of this machine leaves it"
    assert Charges.of(there.campaign).costs.sha256 == costs.sha256


def test_a_table_of_energies_is_the_same_there(tmp_path):
    from importlib.resources import files

    from orchestrator.energies import energies_file, refuse_changed

    file = tmp_path / "energies.json"
    file.write_bytes(files("surrogate.facts").joinpath("thermochemistry.json").read_bytes())
    ready = ready_of("lithium_cobalt_oxide", f"planner.options.table={file}")
    there, parcel = sent(ready, tmp_path / "there")
    assert str(file) not in str(parcel.campaign), "no path of this machine leaves it"
    refuse_changed(there.campaign.planner)  # holds its SHA-256 against what the campaign says
    assert Path(energies_file(there.campaign.planner)).read_bytes() == file.read_bytes()


def test_a_disk_that_was_full_leaves_no_half_of_a_file(tmp_path):
    content = b"0.5\n" * 1000
    sha256 = hashlib.sha256(content).hexdigest()
    need = Need(at=("table",), name="x.csv", files={"x.csv": sha256})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            unpacked({"table": "x"}, [need], {sha256: content}, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert lacking([need], tmp_path) == [sha256], "what is half there would be read as the whole"
    data = unpacked({"table": "x"}, [need], {sha256: content}, tmp_path)
    assert Path(data["table"]).read_bytes() == content


def test_what_is_there_already_is_not_sent_again(tmp_path):
    parcel = packed_up(*(lambda ready: (ready.campaign, ready.lab))(ready_of("screening")))
    assert lacking(parcel.needs, tmp_path) == sorted(parcel.contents)
    unpacked(parcel.campaign, parcel.needs, parcel.contents, tmp_path)
    assert lacking(parcel.needs, tmp_path) == []
    unpacked(parcel.campaign, parcel.needs, {}, tmp_path)


def test_content_that_was_changed_on_its_way_is_refused(tmp_path):
    parcel = packed_up(*(lambda ready: (ready.campaign, ready.lab))(ready_of("screening")))
    changed = {sha256: content + b"\n" for sha256, content in parcel.contents.items()}
    with pytest.raises(InputError, match="has changed on its way"):
        unpacked(parcel.campaign, parcel.needs, changed, tmp_path)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@given(st.sampled_from(["../x", "a/../../x", "/etc/x"]), st.binary(max_size=20))
def test_nothing_is_written_outside_its_folder(tmp_path_factory, name, content):
    folder = tmp_path_factory.mktemp("there") / "inside"
    sha256 = hashlib.sha256(content).hexdigest()
    need = Need(at=("table",), name="x", files={name: sha256})
    with pytest.raises(InputError, match="outside the folder"):
        unpacked({"table": "x"}, [need], {sha256: content}, folder)
    assert not folder.exists()


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?\.csv", fullmatch=True), st.binary(max_size=50), min_size=1)
)
def test_files_arrive_as_they_were(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("there")
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    need = Need.of(Need(at=("a", 0, "b"), name=next(iter(files)), files=hashes).data())
    contents = {hashes[name]: content for name, content in files.items()}
    data = unpacked({"a": [{"b": "x"}], "c": 1}, [need], contents, folder)
    place = Path(data["a"][0]["b"])
    assert place.read_bytes() == files[need.name] and data["c"] == 1
    assert {name: (place.parents[need.name.count("/")] / name).read_bytes() for name in files} == files


def test_drivers_that_are_files_stay_here():
    lab = ready_of("photocatalysis").lab
    device = lab.devices["robot"].model_copy(update={"driver": "/home/me/robot.py:Robot"})
    refuse_drivers(lab)
    with pytest.raises(
        InputError, match=r"the driver of robot is a file \(/home/me/robot.py:Robot\), and only installed"
    ):
        refuse_drivers(lab.model_copy(update={"devices": {"robot": device}}))
