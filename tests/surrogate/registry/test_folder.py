import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.registry.errors import BrokenVersion, NewerRegistry
from surrogate.registry.folder import Pointer, Registry
from surrogate.registry.manifest import Manifest, hash_of_arrays, key_of

ARRAYS = {"X": np.linspace(0.0, 1.0, 12).reshape(4, 3), "y": np.arange(4.0)}


def manifest(version="cold-1", **more):
    values = {
        "model": version.rpartition("-")[0],
        "kind": "cold/1",
        "key": f"key of {version}",
        "data_sha256": "d",
        "rows": 4,
        "told": 5,
        "ranges": {"a": [0.0, 1.0, "g"]},
        "sources": [["May", "s"]],
        "hyperparameters": {"y": {"lengths": [0.1, 0.2]}},
        "code": "labpilot 0.1.0",
        "seed": 3,
        "device": "cpu",
        "parent": None,
        "created_utc": "2026-01-01T00:00:00+00:00",
        "why": "the first",
    }
    return Manifest(version=version, **(values | more))


def test_a_version_comes_back_as_it_was(tmp_path):
    registry = Registry(tmp_path / "models")
    written = registry.write(manifest(), ARRAYS)
    found, arrays = registry.read("cold-1")
    assert found == written and found.key == "key of cold-1"
    assert {name: array.tolist() for name, array in arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert sorted(path.name for path in registry.folder.iterdir()) == ["cold-1.json", "cold-1.npz"]


def test_writing_again_changes_nothing_and_another_model_of_the_name_is_refused(tmp_path):
    registry = Registry(tmp_path)
    registry.write(manifest(), ARRAYS)
    before = (tmp_path / "cold-1.json").read_bytes()
    registry.write(replace(manifest(), why="once more"), ARRAYS)
    assert (tmp_path / "cold-1.json").read_bytes() == before
    with pytest.raises(BrokenVersion, match="another model than the journal's"):
        registry.write(manifest(key="another"), ARRAYS)


def test_versions_are_listed_by_number(tmp_path):
    registry = Registry(tmp_path)
    for version in ("cold-10", "transfer-1", "cold-2"):
        registry.write(manifest(version), ARRAYS)
    assert [one.version for one in registry.versions().manifests] == ["cold-2", "cold-10", "transfer-1"]
    assert registry.versions().refused == {}
    assert Registry(tmp_path / "absent").versions().manifests == []


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_damaged_file_is_named_and_the_others_stay_usable(tmp_path_factory, data):
    registry = Registry(tmp_path_factory.mktemp("models"), fsync=False)
    for version in ("cold-1", "cold-2"):
        registry.write(manifest(version), ARRAYS)
    path = registry.folder / data.draw(st.sampled_from(["cold-1.json", "cold-1.npz"]))
    raw = path.read_bytes()
    at = data.draw(st.integers(0, len(raw) - 1))
    cut = data.draw(st.booleans())
    path.write_bytes(raw[:at] if cut else raw[:at] + bytes([raw[at] ^ 0x11]) + raw[at + 1 :])
    found = registry.versions()
    if "cold-1.json" in found.refused:
        assert "cold-1" in found.refused["cold-1.json"] and [one.version for one in found.manifests] == ["cold-2"]
        with pytest.raises(BrokenVersion):
            registry.read("cold-1")
    else:  # a space became another one, say
        assert found.manifests[0].data() == manifest_of(raw, path, registry)
    registry.write(manifest(), ARRAYS)  # what was broken can be made again
    assert [one.version for one in registry.versions().manifests] == ["cold-1", "cold-2"]


def manifest_of(raw, path, registry):
    return json.loads(raw) if path.suffix == ".json" else registry.read("cold-1")[0].data()


@pytest.mark.parametrize("name", ["cold-1.json", "cold-1.npz"])
def test_half_a_version_is_refused_with_what_to_do(tmp_path, name):
    registry = Registry(tmp_path / "models")
    registry.write(manifest(), ARRAYS)
    (registry.folder / name).unlink()
    ((file, why),) = registry.versions().refused.items()
    assert file.startswith("cold-1.") and "is missing" in why and f"campaign of {tmp_path} is resumed" in why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "holds no version"),
        ("[1]", "no JSON object"),
        ("{}", "hash"),
        ('{"format": 9}', "of format 9, this labpilot knows 1: update it"),
        ("[" * 100_000, "holds no version"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, text, why):
    registry = Registry(tmp_path)
    registry.write(manifest("cold-2"), ARRAYS)
    (tmp_path / "cold-1.json").write_text(text)
    found = registry.versions()
    assert why in found.refused["cold-1.json"] and [one.version for one in found.manifests] == ["cold-2"]


def test_a_manifest_under_another_name_is_refused(tmp_path):
    registry = Registry(tmp_path)
    registry.write(manifest(), ARRAYS)
    (tmp_path / "cold-1.json").rename(tmp_path / "cold-3.json")
    assert "give it its name back" in registry.versions().refused["cold-3.json"]


def test_what_stands_under_a_name_that_is_written_is_not_lost(tmp_path):
    registry = Registry(tmp_path)
    registry.write(manifest(), ARRAYS)
    (tmp_path / "cold-1.json").rename(tmp_path / "cold-3.json")
    before = (tmp_path / "cold-3.json").read_bytes()
    registry.write(manifest("cold-3"), ARRAYS)
    assert registry.read("cold-3")[0].version == "cold-3"
    assert (tmp_path / "cold-3.json.broken").read_bytes() == before


def test_a_version_of_a_later_labpilot_is_not_written_over(tmp_path):
    (tmp_path / "cold-1.json").write_text('{"format": 9}')
    with pytest.raises(NewerRegistry, match="of format 9, this labpilot knows 1: update it"):
        Registry(tmp_path).write(manifest(), ARRAYS)
    assert (tmp_path / "cold-1.json").read_text() == '{"format": 9}'


def test_a_pickle_is_never_opened(tmp_path):
    registry = Registry(tmp_path)
    registry.write(manifest(), ARRAYS)
    np.savez(tmp_path / "cold-1.npz", X=np.array([object()], dtype=object))
    with pytest.raises(BrokenVersion):
        registry.read("cold-1")


def test_a_registry_of_a_later_labpilot_is_read_and_not_written(tmp_path):
    registry = Registry(tmp_path)
    registry.write(manifest(), ARRAYS)
    (tmp_path / "registry.json").write_text('{"format": 2, "pointer": {"champion": "cold-1", "more": 1}}')
    for act in (lambda: registry.write(manifest("cold-2"), ARRAYS), lambda: registry.point(Pointer(champion="cold-1"))):
        with pytest.raises(NewerRegistry, match="update labpilot"):
            act()
    assert [one.version for one in registry.versions().manifests] == ["cold-1"]
    assert registry.pointer() is None


def test_the_pointer_moves_and_survives(tmp_path):
    registry = Registry(tmp_path / "models")
    assert registry.pointer() is None
    registry.point(Pointer(champion="transfer-1"))
    registry.point(Pointer(champion="transfer-1", pinned="cold-2", why="by ana (May was mislabelled)"))
    assert Registry(tmp_path / "models").pointer() == Pointer(
        champion="transfer-1", pinned="cold-2", why="by ana (May was mislabelled)"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"data_sha256": "e"},
        {"sources": [["May", "t"]]},
        {"code": "1"},
        {"hyperparameters": {"y": 2.0}},
        {"seed": 1},
        {"device": "cuda"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_key_changes_with_all_that_a_model_follows_from(change):
    parts = {
        "data_sha256": "d",
        "sources": [["May", "s"]],
        "code": "0",
        "hyperparameters": {"y": 1.0},
        "seed": 0,
        "device": "cpu",
    }
    assert key_of(**parts) == key_of(**parts) != key_of(**(parts | change))


def test_a_hash_of_arrays_knows_shape_order_and_absence():
    a, b = np.zeros((2, 3)), np.zeros((3, 2))
    assert hash_of_arrays(a) != hash_of_arrays(b)
    assert hash_of_arrays(a, None) != hash_of_arrays(None, a)
    assert hash_of_arrays(a.T) == hash_of_arrays(b)
