"""Featurizers by name: ours, installed ones (a real dist-info directory on the path), and those of a file."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from surrogate.features.errors import NoFeaturizer
from surrogate.features.featurizer import TAKES, Featurizer
from surrogate.features.named import featurizer, featurizer_names

DOCS = Path(__file__).parents[3] / "docs" / "features.md"
OURS = ["element_statistics", "bag_of_atoms", "coulomb_matrix", "sine_matrix", "ewald_matrix", "diffraction", "smiles"]


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution: a module and its metadata, in a directory on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = []

    def installed(code, *, name="acme-net", module="acme_net", entry="acme = acme_net:Acme"):
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[labpilot.featurizers]\n{entry}\n")
        importlib.invalidate_caches()
        modules.append(module)

    yield installed
    for module in modules:
        sys.modules.pop(module, None)


ACME = """
import numpy as np

class Acme:
    name, version, takes = "acme", "3", "structure"
    columns = ("atoms", "volume of an atom")

    def __init__(self, *, factor=1.0):
        self.factor = factor

    def features(self, items):
        return np.array([[len(one.sites), self.factor * one.volume_angstrom3 / len(one.sites)] for one in items])
"""


@pytest.mark.parametrize("name", OURS[:-1])
def test_ours(name):
    found = featurizer(name)
    assert isinstance(found, Featurizer)
    assert found.name == name
    assert found.takes in TAKES
    assert featurizer(name) is found


def test_an_installed_one_is_found_and_made_with_its_options(install):
    from surrogate.xrd.library import embedded_library

    install(ACME)
    assert featurizer_names() == [*OURS, "acme"]
    phases = embedded_library(["rutile", "halite"]).phases
    one, two = featurizer("acme").features(phases), featurizer("acme", {"factor": 2.0}).features(phases)
    assert one[:, 0].tolist() == [6, 8]
    np.testing.assert_allclose(two[:, 1], 2 * one[:, 1])
    assert featurizer("acme").stamp == "3"


def test_ours_count_before_installed_ones_of_their_name(install):
    install(ACME, entry="sine_matrix = acme_net:Acme")
    assert featurizer_names() == OURS
    assert len(featurizer("sine_matrix").columns) == 200


@pytest.mark.parametrize(
    ("code", "entry", "message"),
    [
        (
            "import no_such_net\n",
            "acme = acme_net:Acme",
            "cannot be loaded: ModuleNotFoundError: .*no_such_net.*; mend or",
        ),
        ("1 / 0\n", "acme = acme_net:Acme", "cannot be loaded: ZeroDivisionError"),
        ("class Other: ...\n", "acme = acme_net:Acme", "cannot be loaded: AttributeError"),
        ("Acme = 7\n", "acme = acme_net:Acme", "names 7, which is no class"),
        (
            "class Acme:\n    def __init__(self): raise OSError('no weights')\n",
            "acme = acme_net:Acme",
            "OSError: no weights",
        ),
        ("class Acme: ...\n", "acme = acme_net:Acme", "name is a word, not None"),
    ],
    ids=["import", "raises", "missing", "no-class", "init", "nothing"],
)
def test_a_broken_one_is_told_with_its_distribution(install, code, entry, message):
    install(code, entry=entry)
    with pytest.raises(NoFeaturizer, match=message) as caught:
        featurizer("acme")
    assert "distribution acme-net 1.2" in str(caught.value)


def test_a_name_that_two_distributions_offer_is_refused(install):
    install(ACME)
    install(ACME, name="rival", module="rival_net", entry="acme = rival_net:Acme")
    with pytest.raises(NoFeaturizer, match="offered twice, by .*acme-net 1.2.*; uninstall one"):
        featurizer("acme")


def test_an_option_that_it_has_not_is_refused(install):
    install(ACME)
    with pytest.raises(NoFeaturizer, match='cannot be made with options {"depth": 3}: TypeError: .*depth'):
        featurizer("acme", {"depth": 3})
    with pytest.raises(NoFeaturizer, match="'sine_matrix' of labpilot cannot be made"):
        featurizer("sine_matrix", {"depth": 3})


def test_a_misspelt_name_is_mended():
    with pytest.raises(NoFeaturizer, match="no featurizer is called 'sin_matrix'; did you mean 'sine_matrix'"):
        featurizer("sin_matrix")
    with pytest.raises(NoFeaturizer, match="there are element_statistics, "):
        featurizer("zzz")


def test_one_of_a_file_is_found_and_a_changed_file_is_another_version(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(ACME)
    found = featurizer("./mine.py:Acme", base=tmp_path)
    assert found.name == "acme"
    assert re.fullmatch("3, file [0-9a-f]{12}", found.stamp)
    assert featurizer(f"{file}:Acme").stamp == found.stamp
    file.write_text(ACME.replace('"volume of an atom"', '"other"'))
    changed = featurizer("./mine.py:Acme", base=tmp_path)
    assert changed.columns == ("atoms", "other")
    assert changed.stamp != found.stamp


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("./mine.py:Other", ACME, r"write \./mine\.py:Class; .* has Acme"),
        ("./mine.py", ACME, r"write \./mine\.py:Class; .* has Acme"),
        ("./none.py:Acme", ACME, "there is no file .*none.py"),
        ("./mine.py:Acme", "class Acme(\n", "cannot be imported: SyntaxError"),
        ("./mine.py:Acme", "raise RuntimeError('no')\n", "cannot be imported: RuntimeError: no"),
        ("./mine.py:np", "import numpy as np\n", "mine.py names <module 'numpy'.*which is no class"),
    ],
    ids=["other", "no-class", "no-file", "syntax", "raises", "module"],
)
def test_what_a_file_lacks_is_said(tmp_path, name, code, message):
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(NoFeaturizer, match=message):
        featurizer(name, base=tmp_path)


def test_the_plug_in_of_the_page_works_as_it_stands_there(install):
    from surrogate.xrd.library import embedded_library

    [code] = re.findall(r"```python\n# my_network\.py\n(.*?)```", DOCS.read_text(), re.DOTALL)
    [entry] = re.findall(r'"labpilot\.featurizers"\]\n(.*?)\n```', DOCS.read_text(), re.DOTALL)
    assert len(code.strip().splitlines()) <= 15
    name, target = (part.strip(' "') for part in entry.split("="))
    install(code, name="my-network", module="my_network", entry=f"{name} = {target}")
    made = featurizer(name)
    phases = embedded_library(["rutile", "halite", "quartz"]).phases
    assert made.features(phases).shape == (3, len(made.columns))
