"""The JSON Schemas for editors: current, and agreeing with the examples and with a few mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator import schema
from orchestrator.yaml_source import read_source

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


@pytest.mark.parametrize("name", schema.schemas())
def test_schema_files_are_current(name):
    written = (schema.FOLDER / name).read_text(encoding="utf-8")
    assert written == schema.schemas()[name], "run `python -m orchestrator.schema`"


def _is_type(value, name):
    return isinstance(value, TYPES[name]) and not (isinstance(value, bool) and name in ("integer", "number"))


def _fits(value, rule, root):
    """Say whether a value fits a schema, as far as the keywords that ours use."""
    if "$ref" in rule:
        return _fits(value, root["$defs"][rule["$ref"].rpartition("/")[2]], root)
    types = rule.get("type", [])
    types = [types] if isinstance(types, str) else types
    facts = [
        not types or any(_is_type(value, name) for name in types),
        "const" not in rule or value == rule["const"],
        "enum" not in rule or value in rule["enum"],
        "anyOf" not in rule or any(_fits(value, option, root) for option in rule["anyOf"]),
        "oneOf" not in rule or sum(_fits(value, option, root) for option in rule["oneOf"]) == 1,
    ]
    if isinstance(value, dict):
        facts += _object_facts(value, rule, root)
    if isinstance(value, list):
        prefix = rule.get("prefixItems", [])
        facts.append(all(_fits(item, inner, root) for item, inner in zip(value, prefix, strict=False)))
        facts.append(len(value) >= rule.get("minItems", 0))
        if "items" in rule:
            facts.append(all(_fits(item, rule["items"], root) for item in value[len(prefix) :]))
    return all(facts)


def _object_facts(value, rule, root):
    known = rule.get("properties", {})
    extra = rule.get("additionalProperties", True)
    facts = [set(rule.get("required", [])) <= value.keys()]
    facts += [_fits(item, known[key], root) for key, item in value.items() if key in known]
    for key in value.keys() - known.keys():
        facts.append(_fits(value[key], extra, root) if isinstance(extra, dict) else extra)
    return facts


@pytest.mark.parametrize(
    "path",
    sorted(path for path in EXAMPLES.glob("*/*.yaml") if path.stem != "faults"),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_examples_fit(path):
    name = "lab" if path.stem.startswith("lab") else "campaign"
    root = json.loads(schema.schemas()[f"{name}.schema.json"])
    assert _fits(read_source(path).data, root, root)


@pytest.mark.parametrize(
    "change",
    [
        {"seeed": 1},
        {"seed": "0"},
        {"batch": "many"},
        {"recipe": [{"anneal": {"dwell": "1 ms"}}]},
        {"recipe": [{"photo": {}}]},
        {"parameters": [{"name": "a", "kind": "contiuous"}]},
        {"objectives": [{"name": "a", "direction": "minimise"}]},
        {"limits": {"a.b": {"c": {"hihg": 1}}}},
    ],
    ids=str,
)
def test_mistakes_do_not_fit(change):
    root = json.loads(schema.schemas()["campaign.schema.json"])
    data = read_source(EXAMPLES / "sara" / "campaign.yaml").data
    assert _fits(data, root, root)
    assert not _fits({**data, **change}, root, root)


def test_every_key_is_described():
    for text in schema.schemas().values():
        root = json.loads(text)
        for owner in (root, *root["$defs"].values()):
            for name, rule in owner.get("properties", {}).items():
                options = [rule, *rule.get("anyOf", [])]
                assert "$ref" in rule or any("description" in option for option in options), name
