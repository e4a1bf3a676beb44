"""Pools of structures and formulas in campaign files: read, checked, described, the same after a restart."""

import os
import shutil
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml
from pymatgen.io.cif import CifWriter

from orchestrator import pool_reading, pools
from orchestrator.campaign import Campaign
from orchestrator.campaign_knowledge import knowledge_of
from orchestrator.check import check_campaign
from orchestrator.cli.check import _lines
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.points import known_of, pool_for, refuse_changed
from orchestrator.report import write_report
from orchestrator.results import read_result
from orchestrator.space import search_space
from surrogate.features.crystals import pymatgen_structure
from surrogate.features.spectra import SineMatrix
from surrogate.xrd.library import embedded_library

LAB = {
    "labpilot": 1,
    "name": "lab",
    "devices": {"robot": {"driver": "bench", "url": "sim:replay/robot", "capacity": 4}},
}
NAMES = ["rutile", "anatase", "halite", "sylvite", "LiF", "periclase", "lime", "copper", "gold", "silver", "silicon"]
DENSITY = {phase.name: phase.density_g_cm3 for phase in embedded_library(NAMES).phases}
STRUCTURES = {"from": "structure", "kind": ["sine_matrix", "element_statistics"]}
FORMULAS = {"from": "composition", "kind": "element_statistics"}


@pytest.fixture(scope="session")
def cifs(tmp_path_factory) -> Path:
    """Write the structures once."""
    folder = tmp_path_factory.mktemp("cifs")
    for phase in embedded_library(NAMES).phases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how spglib will tell errors in a later version
            CifWriter(pymatgen_structure(phase), symprec=1e-3).write_file(folder / f"{phase.name}.cif")
    return folder


@pytest.fixture
def desk(cifs, tmp_path):
    """Write a campaign that replays densities of a pool, beside its files, and check it."""
    folder = tmp_path / "desk"
    shutil.copytree(cifs, folder / "cifs")
    (folder / "lab.yaml").write_text(yaml.safe_dump(LAB))
    (folder / "density.csv").write_text("crystal,density\n" + "".join(f"{k},{v}\n" for k, v in DENSITY.items()))

    def made(parameter, *, planner=None, more=None, **files):
        for name, content in files.items():
            (folder / f"{name}.csv").write_text(content)
        campaign = {
            "labpilot": 1,
            "name": "crystals",
            "lab": "lab.yaml",
            "parameters": [{"name": "crystal", "kind": "categorical", **parameter}],
            "objectives": [{"name": "density", "direction": "maximize"}],
            "recipe": [{"perform": {"device": "robot"}}],
            "analysis": {"kind": "reading"},
            "planner": {"policy": "random", "charge": "1 s", **(planner or {})},
            "batch": 2,
            "budget": {"trials": 8},
            "replay": {"table": "density.csv"},
            **(more or {}),
        }
        campaign = {key: value for key, value in campaign.items() if value is not None}
        (folder / "campaign.yaml").write_text(yaml.safe_dump(campaign, sort_keys=False))
        return check_campaign(folder / "campaign.yaml")

    made.folder = folder
    return made


def problems(checked):
    return [f"{problem.path}: {problem.message}" for problem in checked.problems]


def test_a_folder_gives_the_words_and_features_the_codes(desk):
    checked = desk({"pool": "cifs", "features": STRUCTURES})
    assert problems(checked) == []
    [crystal] = checked.campaign.parameters
    assert crystal.levels == tuple(sorted(NAMES))
    assert crystal.pool.folder == str(desk.folder / "cifs")
    assert len(crystal.pool.sha256) == 64
    assert crystal.features.versions == {"sine_matrix": "1", "element_statistics": "1"}
    codes = search_space(checked.campaign).encode([{"crystal": name} for name in ("rutile", "anatase")])
    assert np.abs(codes[0] - codes[1]).max() > 0.01  # of one composition, told apart by their structures
    phase = embedded_library(["rutile"]).phases
    assert np.count_nonzero(SineMatrix().features(phase)) == 6


def test_the_summary_says_what_is_in_it_and_what_is_kept_once(desk):
    shutil.copy(desk.folder / "cifs" / "gold.cif", desk.folder / "cifs" / "zzz.cif")
    summary = desk({"pool": "cifs", "features": STRUCTURES}).summary
    [pool] = summary.pools
    assert (pool.parameter, pool.candidates, pool.takes, pool.twins) == ("crystal", 11, "structure", (("zzz", "gold"),))
    [line] = [line for line in _lines(summary) if line.startswith("features")]
    assert line.startswith("features   crystal: 11 structures by sine_matrix, element_statistics, ")
    assert line.endswith("columns vary; kept once: zzz is gold")


def test_a_table_of_formulas(desk):
    density = "crystal,density\nTiO2,4\nNaCl,2\nMgO,3\n"
    checked = desk(
        {"pool": "pool.csv", "features": FORMULAS}, pool="crystal\nTiO2\nNaCl\n\nMgO\nNaCl\n", density=density
    )
    assert problems(checked) == []
    assert checked.campaign.parameters[0].levels == ("TiO2", "NaCl", "MgO")
    assert checked.summary.pools[0].twins == (("NaCl (pool.csv: line 6)", "NaCl (pool.csv: line 3)"),)


def test_a_table_of_names_and_files(desk):
    table = "id,file\n" + "".join(f"{name},cifs/{name}.cif\n" for name in NAMES)
    pool = {"table": "pool.csv", "column": "id", "items": "file"}
    checked = desk({"pool": pool, "features": STRUCTURES}, pool=table)
    assert problems(checked) == []
    assert checked.campaign.parameters[0].levels == tuple(NAMES)


def test_a_folder_of_molecules(desk):
    water = "3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"
    (desk.folder / "xyz").mkdir()
    for name, text in (("water", water), ("sulfide", water.replace("O", "S")), ("same", water)):
        (desk.folder / "xyz" / f"{name}.xyz").write_text(text)
    features = {"from": "molecule", "kind": ["coulomb_matrix", "bag_of_atoms"]}
    checked = desk({"pool": "xyz", "features": features}, density="crystal,density\nsame,1\nsulfide,2\n")
    assert problems(checked) == []
    assert checked.campaign.parameters[0].levels == ("same", "sulfide")
    assert checked.summary.pools[0].twins == (("water", "same"),)
    (desk.folder / "xyz" / "water.xyz").write_text("3\n\nO 0 0 0\n")
    [found] = problems(desk({"pool": "xyz", "features": features}))
    assert found == "parameters.0.pool: water.xyz: line 1 says 3 atoms, and there are 1 lines of atoms"


def test_smiles_without_rdkit_say_what_to_install(desk, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    smiles = {"levels": ["CCO", "CO"], "features": {"from": "smiles", "kind": "smiles"}}
    [found] = problems(desk(smiles, density="crystal,density\nCCO,1\nCO,2\n"))
    assert found.startswith("parameters.0.features.kind: features of SMILES need RDKit")
    assert "pip install 'labpilot[smiles]'" in found


def test_what_is_known_beforehand_is_of_the_pool_and_candidates_choose_from_it(desk, tmp_path):
    more = {"known": "known.csv", "candidates": "few.csv", "replay": None, "lab": "bare.yaml"}
    known = "crystal,density\nsilver,10.5\nlime,3.3\nhalite,2.2\ncopper,8.9\n"
    few = "crystal\ngold\nsilicon\nLiF\nrutile\n"
    (desk.folder / "bare.yaml").write_text(
        yaml.safe_dump({**LAB, "devices": {"robot": {"driver": "bench", "url": "serial:/dev/null"}}})
    )
    planner = {"policy": "screening", "options": {"threshold": 9}}
    checked = desk({"pool": "cifs", "features": STRUCTURES}, planner=planner, more=more, known=known, few=few)
    assert problems(checked) == []
    assert (checked.summary.points, checked.summary.given.known) == (4, 4)
    knowledge = knowledge_of(
        checked.campaign,
        pool=pool_for(checked.campaign, {}),
        known=[result.data() for result in known_of(checked.campaign)],
    )
    [proposal] = knowledge.planner.ask(1)
    assert proposal.parameters == {"crystal": "gold"}
    assert "nearest known is silver" in proposal.reason


def test_levels_choose_from_a_pool_or_are_formulas_themselves(desk):
    some = ["gold", "copper", "rutile"]
    checked = desk(
        {"pool": "cifs", "levels": some, "features": STRUCTURES},
        density="crystal,density\ngold,1\ncopper,2\nrutile,3\n",
    )
    assert problems(checked) == []
    assert checked.campaign.parameters[0].levels == tuple(some)
    checked = desk({"levels": ["TiO2", "NaCl"], "features": FORMULAS}, density="crystal,density\nTiO2,1\nNaCl,2\n")
    assert problems(checked) == []
    assert search_space(checked.campaign).width > 20


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"pool": "none", "features": STRUCTURES}, ["parameters.0.pool: there is no folder "]),
        ({"pool": "none.csv", "features": FORMULAS}, ["parameters.0.pool: there is no file "]),
        (
            {"pool": "pool.csv", "features": FORMULAS},
            ["parameters.0.pool: pool.csv has no column 'crystal'; did you mean"],
        ),
        (
            {"pool": {"table": "pool.csv", "column": "crystl", "items": "file"}, "features": STRUCTURES},
            ["parameters.0.pool: pool.csv has no column 'file'"],
        ),
        (
            {"pool": {"table": "pool.csv", "column": "crystl"}, "features": FORMULAS},
            [
                "parameters.0.pool: pool.csv: line 3: formula 'Xx2': no properties are known",
                "parameters.0.pool: pool.csv: line 5: formula 'hello' cannot be read",
            ],
        ),
        (
            {"pool": {"table": "pool.csv", "column": "crystl"}, "features": STRUCTURES},
            [f"parameters.0.pool: pool.csv: line {line}: " for line in (2, 3, 5)],
        ),
        (
            {"pool": "cifs", "features": {**STRUCTURES, "kind": "sin_matrix"}},
            ["parameters.0.features.kind: no featurizer"],
        ),
        (
            {"pool": "cifs", "features": {**STRUCTURES, "kind": "coulomb_matrix"}},
            ["parameters.0.features: parameter 'crystal': LiF: it is a structure"],
        ),
        (
            {"pool": "cifs", "features": {**STRUCTURES, "options": {"sine_matrix": {"size": 1}}}},
            ["parameters.0.features: parameter 'crystal': LiF has 2 atoms, and sine_matrix has room for 1"],
        ),
        (
            {"pool": "cifs", "features": {**STRUCTURES, "options": {"sine": {"size": 1}}}},
            ["parameters.0.features.options.sine: 'sine' is none of its kinds"],
        ),
        (
            {"pool": "cifs", "features": {**STRUCTURES, "versions": {"sine_matrix": "0"}}},
            ["parameters.0.features.versions: sine_matrix is of version '1' here, not '0'"],
        ),
        (
            {"pool": {"folder": "cifs", "sha256": "a" * 64}, "features": STRUCTURES},
            ["parameters.0.pool.sha256: the SHA-256 of cifs is "],
        ),
        (
            {"pool": "cifs", "levels": ["gold", "lead"], "features": STRUCTURES},
            ["parameters.0.levels: 'lead' is none of"],
        ),
        ({"levels": ["TiO2", "Xx2"], "features": FORMULAS}, ["parameters.0.levels: level 'Xx2': formula 'Xx2'"]),
        ({"pool": "cifs"}, ["parameters.0.features: missing key: what the pool's words stand for"]),
        ({"features": FORMULAS}, ["parameters.0.levels: missing key: the words, or a pool"]),
        ({"levels": ["TiO2"], "features": FORMULAS}, ["parameters.0.levels: must have at least 2 items"]),
        (
            {"levels": ["a", "b"], "features": STRUCTURES},
            ["parameters.0.features.from: a structure is read from a file; say from where"],
        ),
        (
            {"levels": ["TiO2", "NaCl"], "descriptors": "composition", "features": FORMULAS},
            ["parameters.0.features: give descriptors or features, not both"],
        ),
        ({"pool": {"column": "a"}, "features": FORMULAS}, ["parameters.0.pool: give a folder of files, or a table"]),
        (
            {"pool": {"folder": "cifs", "column": "a"}, "features": FORMULAS},
            ["parameters.0.pool.column: a folder has no columns"],
        ),
        ({"pool": "cifs", "features": FORMULAS}, ["parameters.0.pool: a folder holds structures (.cif) or molecules"]),
        ({"pool": "cifs", "features": {"kind": "sine_matrix"}}, ["parameters.0.features.from: missing key"]),
        ({"pool": "cifs", "features": {**STRUCTURES, "kind": "./my.py:My"}}, ["parameters.0.features.kind: '/"]),
    ],
    ids=[
        "folder",
        "table",
        "column",
        "items",
        "formulas",
        "files",
        "kind",
        "of-molecules",
        "size",
        "options",
        "versions",
    ]
    + [
        "sha256",
        "levels",
        "level",
        "no-features",
        "no-words",
        "one-word",
        "no-files",
        "both",
        "no-pool",
        "columns",
        "no-table",
    ]
    + ["no-from", "no-plug-in"],
)
def test_what_is_wrong_is_said_where_it_stands(desk, parameter, expected):
    found = problems(desk(parameter, pool="crystl,b\nTiO2,1\nXx2,2\n\nhello,3\n"))
    assert len(found) == len(expected), found
    for problem, beginning in zip(found, expected, strict=True):
        assert problem.startswith(beginning)


def test_bad_structures_are_named_with_their_lines(desk):
    (desk.folder / "cifs" / "bad.cif").write_text("data_x\n_cell_length_a 3\n_atom 'open\n")
    (desk.folder / "cifs" / "gold.cif").write_text("data_gold\n_cell_length_a 4.1\n")
    assert problems(desk({"pool": "cifs", "features": STRUCTURES})) == [
        "parameters.0.pool: bad.cif, line 3: this is not a CIF file: unterminated 'string'",
        "parameters.0.pool: gold.cif: there is no _cell_length_b",
    ]


def test_one_structure_is_nothing_to_choose_from(desk):
    for file in (desk.folder / "cifs").iterdir():
        if file.stem != "gold":
            file.unlink()
    [found] = problems(desk({"pool": "cifs", "features": STRUCTURES}))
    assert found == "parameters.0.pool: cifs holds one candidate (gold); two are needed to choose from"


def test_a_campaign_that_was_read_says_the_same_again(desk):
    campaign = desk({"pool": "cifs", "features": STRUCTURES}).campaign
    again = Campaign.from_data(campaign.data())
    assert again == campaign
    points = [{"crystal": name} for name in NAMES]
    np.testing.assert_array_equal(search_space(again).encode(points), search_space(campaign).encode(points))


@pytest.mark.parametrize(
    "planner",
    [{"policy": "logei"}, {"policy": "screening", "options": {"threshold": 9}}, {"policy": "random"}],
    ids=lambda planner: planner["policy"],
)
def test_policies_choose_among_structures(desk, tmp_path, planner):
    task = desk({"pool": "cifs", "features": STRUCTURES}, planner=planner).require()
    start(task, tmp_path / "c", Settings(is_virtual=True, fsync=False))
    trials = read_result(tmp_path / "c", wall_s=0.0)["trials"]
    tried = [trial["parameters"]["crystal"] for trial in trials]
    assert len(set(tried)) == 8
    assert set(tried) <= set(NAMES)
    if planner["policy"] != "random":
        assert "gold" in tried


def test_a_campaign_that_was_interrupted_ends_as_if_it_had_not_been(desk, tmp_path):
    planner = {"policy": "screening", "options": {"threshold": 9}}
    task = desk({"pool": "cifs", "features": STRUCTURES}, planner=planner).require()
    start(task, tmp_path / "whole", Settings(is_virtual=True, fsync=False))
    seen = []

    def interrupt(_trial, _act):
        seen.append(1)
        if len(seen) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    ending = start(task, tmp_path / "c", Settings(is_virtual=True, fsync=False, on_step=interrupt))
    assert ending.status == "stopped"
    pools._category.cache_clear()  # as in another process
    pool_reading._read_once.cache_clear()
    assert resume(tmp_path / "c").status == "finished"
    whole, stopped = (read_result(tmp_path / name, wall_s=0.0, score=False)["trials"] for name in ("whole", "c"))
    assert stopped == whole


def test_a_pool_that_was_changed_is_refused_on_resume(desk, tmp_path):
    task = desk({"pool": "cifs", "features": STRUCTURES}).require()
    start(task, tmp_path / "c", Settings(is_virtual=True, fsync=False))
    file = desk.folder / "cifs" / "gold.cif"
    text = file.read_text()
    file.write_text(text.replace("Au0+", "Ag0+") + "\n")
    with pytest.raises(
        InputError, match=r"'crystal' is not what this campaign began with.*SHA-256 of cifs.*put it back"
    ):
        resume(tmp_path / "c")
    file.write_text(text)
    with pytest.raises(InputError, match="nothing is left to resume"):
        resume(tmp_path / "c")
    shutil.rmtree(desk.folder / "cifs")
    with pytest.raises(InputError, match="cannot be had any more: there is no folder"):
        resume(tmp_path / "c")


def test_a_report_is_written_without_the_files(desk, tmp_path, caplog):
    task = desk({"pool": "cifs", "features": STRUCTURES}, planner={"policy": "logei"}).require()
    start(task, tmp_path / "c", Settings(is_virtual=True, fsync=False))
    shutil.rmtree(desk.folder / "cifs")
    pools._category.cache_clear()  # as in another process
    pool_reading._read_once.cache_clear()
    report = write_report(tmp_path / "c")
    assert "gold" in report.path.read_text()
    assert "there is no folder" in report.path.read_text()
    assert "prediction_failed" not in caplog.text


def test_a_file_behind_a_table_that_was_changed_is_refused(desk):
    table = "id,file\n" + "".join(f"{name},cifs/{name}.cif\n" for name in NAMES)
    pool = {"table": "pool.csv", "column": "id", "items": "file"}
    campaign = desk({"pool": pool, "features": STRUCTURES}, pool=table).campaign
    refuse_changed(campaign)
    (desk.folder / "cifs" / "gold.cif").write_text((desk.folder / "cifs" / "silver.cif").read_text())
    with pytest.raises(InputError, match="the SHA-256 of pool.csv is"):
        refuse_changed(campaign)


MINE = """
class Mine:
    name, version, takes, columns = "mine", "1", "structure", ("volume of an atom",)

    def features(self, items):
        return [[one.volume_angstrom3 / len(one.sites)] for one in items]
"""


def test_a_plug_in_beside_the_campaign_file_and_what_becomes_of_it(desk):
    (desk.folder / "mine.py").write_text(MINE)
    checked = desk({"pool": "cifs", "features": {"from": "structure", "kind": ["./mine.py:Mine", "sine_matrix"]}})
    assert problems(checked) == []
    kind = f"{desk.folder}/mine.py:Mine"
    assert checked.campaign.parameters[0].features.kind == (kind, "sine_matrix")
    refuse_changed(checked.campaign)
    (desk.folder / "mine.py").write_text(MINE.replace("one.volume_angstrom3", "2.0"))
    with pytest.raises(InputError, match=r"mine\.py:Mine is of version '1, file \w+' here, not '1, file \w+'"):
        refuse_changed(checked.campaign)


def test_a_plug_in_that_fails_is_told_where_it_is_named(desk):
    (desk.folder / "mine.py").write_text(MINE.replace("one.volume_angstrom3", "one.colour"))
    [found] = problems(desk({"pool": "cifs", "features": {"from": "structure", "kind": "./mine.py:Mine"}}))
    assert found.startswith(
        "parameters.0.features: parameter 'crystal': the featurizer 'mine' of mine.py failed at features: "
    )
    assert "AttributeError" in found
