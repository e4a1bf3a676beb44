"""Featurizers by name: ours, those of installed distributions, and those of a file."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from surrogate.features.errors import FeatureError, NoFeaturizer
from surrogate.features.supervised import Supervised

GROUP = "labpilot.featurizers"
"""The entry point group of featurizers."""
_OURS: Mapping[str, str] = {
    "element_statistics": "surrogate.features.compositions:ElementStatistics",
    "bag_of_atoms": "surrogate.features.compositions:BagOfAtoms",
    "coulomb_matrix": "surrogate.features.spectra:CoulombMatrix",
    "sine_matrix": "surrogate.features.spectra:SineMatrix",
    "ewald_matrix": "surrogate.features.spectra:EwaldMatrix",
    "diffraction": "surrogate.features.diffraction:Diffraction",
    "smiles": "surrogate.features.smiles:Smiles",
}

_made: dict[tuple[str, type], Supervised] = {}
"""Featurizers that were made: a network is read once."""


def featurizer_names() -> list[str]:
    """List our featurizers and the installed ones."""
    return [*_OURS, *sorted(entry.name for entry in entry_points(group=GROUP) if entry.name not in _OURS)]


def featurizer(name: str, options: Mapping[str, Any] | None = None, *, base: Path = Path()) -> Supervised:
    """Return a featurizer: ours by name, then an installed one, or one of your own as ``./my_features.py:MyFeatures``.

    Args:
        name: What it is called; of several of one name ours counts.
        options: Keyword arguments that it is made with.
        base: The directory from which a path counts.

    Raises:
        NoFeaturizer: There is none; names the nearest. Or it cannot be loaded, or lacks what a featurizer needs.
        FeatureError: It refuses the options, or needs something that is not installed.
    """
    if ".py" in name:
        made_by, origin, digest = _from_path(name, base)
    elif name in _OURS:
        module, _, wanted = _OURS[name].partition(":")
        made_by, origin, digest = getattr(import_module(module), wanted), "labpilot", ""
    else:
        made_by, origin, digest = *_from_entry_point(name), ""
    if not isinstance(made_by, type):
        raise NoFeaturizer(f"featurizer {name!r} of {origin} names {made_by!r:.80}, which is no class")
    told = dict(options or {})
    identity = f"{origin} {made_by.__module__} {made_by.__qualname__} {json.dumps(told, sort_keys=True, default=str)}"
    if (identity, made_by) not in _made:
        inner = _inner(name, made_by, told, origin)
        _made[identity, made_by] = Supervised(inner, origin=origin, identity=identity, digest=digest)
    return _made[identity, made_by]


def _inner(name: str, made_by: Any, told: Mapping[str, Any], origin: str) -> Any:
    try:
        return made_by(**told)
    except FeatureError:
        raise
    except Exception as error:  # a plug-in may fail at anything; this says whose it is
        given = f" with options {json.dumps(told, default=str)}" if told else ""
        raise NoFeaturizer(
            f"featurizer {name!r} of {origin} cannot be made{given}: {type(error).__name__}: {error}"
        ) from error


def _from_entry_point(name: str) -> tuple[Any, str]:
    found = {entry.value: entry for entry in entry_points(group=GROUP, name=name)}
    if not found:
        known = featurizer_names()
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}."
        raise NoFeaturizer(f"no featurizer is called {name!r}; {hint} One of your own is written ./file.py:Class.")
    if len(found) > 1:
        given = " and ".join(f"{value} ({_distribution(entry)})" for value, entry in found.items())
        raise NoFeaturizer(f"featurizer {name!r} is offered twice, by {given}; uninstall one of them")
    [entry] = found.values()
    origin = _distribution(entry)
    try:
        return entry.load(), origin
    except Exception as error:  # a plug-in may fail at anything; this says whose it is
        raise NoFeaturizer(
            f"featurizer {name!r} of {origin} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}; mend "
            "or uninstall it"
        ) from error


def _distribution(entry: EntryPoint) -> str:
    return f"distribution {entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _from_path(name: str, base: Path) -> tuple[Any, str, str]:
    file, _, wanted = name.rpartition(":") if ":" in name.partition(".py")[2] else (name, "", "")
    path = (base / file).resolve()
    if not path.is_file():
        raise NoFeaturizer(f"{name!r}: there is no file {path}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    try:
        module = _load(path, digest)
    except Exception as error:  # a plug-in may fail at anything; this says whose it is
        raise NoFeaturizer(f"{name!r}: {path} cannot be imported: {type(error).__name__}: {error}") from error
    if not wanted or not hasattr(module, wanted):
        classes = [item for item, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise NoFeaturizer(f"{name!r}: write {file}:Class; {path} has {', '.join(classes) or 'no class'}")
    return getattr(module, wanted), path.name, digest


def _load(path: Path, digest: str) -> ModuleType:
    name = f"labpilot_featurizer_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    with ExitStack() as undo:
        sys.modules[name] = module  # dataclasses and type hints look their module up
        undo.callback(sys.modules.pop, name)
        spec.loader.exec_module(module)
        undo.pop_all()
    return module
