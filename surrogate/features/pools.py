"""Pools of candidates: words and what they stand for, from a folder of files or the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from surrogate.features.composition import parse
from surrogate.features.crystals import read_structures
from surrogate.features.errors import BadItem, BadPool, FeatureError
from surrogate.features.items import key_of
from surrogate.features.molecules import Molecule, read_xyz
from surrogate.xrd.phase import Phase
from surrogate.xrd.twins import are_twins

SUFFIXES = {"structure": ".cif", "molecule": ".xyz"}
"""How files of items are named, by what the items are."""
MOST_PROBLEMS = 20
"""That are named before the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Candidates."""

    words: tuple[str, ...]
    """What n candidates are called, each once."""
    items: tuple[Any, ...]
    """What they are, `n`; see `surrogate.features.featurizer`."""
    twins: tuple[tuple[str, str], ...] = ()
    """(what was left out, the same candidate that was kept)."""

    def only(self, words: Sequence[str]) -> Pool:
        """Return the part of the pool with these words, in their order.

        Raises:
            BadPool: Some are none of its words.
        """
        found = dict(zip(self.words, self.items, strict=True))
        strange = [word for word in words if word not in found]
        if strange:
            raise BadPool([f"{strange[0]!r} is none of the pool's {len(found)} candidates ({len(strange)} are none)"])
        return replace(self, words=tuple(words), items=tuple(found[word] for word in words))


def files_of(folder: Path, takes: str) -> list[Path]:
    """Return the files of candidates in a folder and its folders, by name; hidden ones are left alone.

    Raises:
        BadPool: There is no such folder, or no such file in it.
    """
    suffix = SUFFIXES.get(takes)
    if suffix is None:
        raise BadPool([f"a folder holds structures (.cif) or molecules (.xyz), not {takes}; give a table"])
    if not folder.is_dir():
        raise BadPool([f"there is no folder {folder}"])
    found = sorted(_visible(folder, suffix))
    if not found:
        raise BadPool([f"there is no {suffix} file in {folder}"])
    return found


def _visible(folder: Path, suffix: str) -> Iterator[Path]:
    for path in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() == suffix and not is_hidden and not path.is_dir():
            yield path


def read_folder(folder: Path, takes: str = "structure") -> Pool:
    """Return the structures or molecules in a folder, called after their files; of equal structures the first.

    Raises:
        BadPool: A file cannot be read; names all of them, with lines where they are known.
    """
    words: list[str] = []
    items: list[Any] = []
    problems: list[str] = []
    for path in files_of(folder, takes):
        try:
            found: Sequence[Phase | Molecule] = read_structures(path) if takes == "structure" else [read_xyz(path)]
        except BadItem as error:
            problems.append(str(error))
            continue
        words += [(path.relative_to(folder).parent / item.name).as_posix() for item in found]
        items += found
    twice = [word for word in dict.fromkeys(words) if words.count(word) > 1] if len(set(words)) < len(words) else []
    problems += [f"two structures would be called {word!r}; rename one of the files or blocks" for word in twice]
    _refuse(problems)
    return _without_twins(words, items)


def pool_of(
    takes: str, words: Sequence[str], texts: Sequence[str], *, at: Sequence[str] | None = None, folder: Path = Path()
) -> Pool:
    """Return the candidates that texts tell: formulas, SMILES, or names of files with one structure or molecule each.

    Args:
        takes: What the items are.
        words: What they are called, `n`; a word that comes again with the same text is left out.
        texts: `n`
        at: Where each stands, for messages: "line 3".
        folder: From where names of files count.

    Raises:
        BadPool: Some cannot be read; names them all.
    """
    at = at or [f"candidate {number}" for number in range(1, len(words) + 1)]
    seen: dict[str, tuple[str, str]] = {}
    kept: dict[str, Any] = {}
    twins: list[tuple[str, str]] = []
    problems: list[str] = []
    for word, text, place in zip(words, texts, at, strict=True):
        if word in seen:
            if seen[word][0] == text:
                twins.append((f"{word} ({place})", f"{word} ({seen[word][1]})"))
            else:
                problems.append(f"{place}: {word!r} stands at {seen[word][1]} already, for {seen[word][0]!r}")
            continue
        seen[word] = text, place
        try:
            kept[word] = _item(takes, word, text, folder)
        except FeatureError as error:
            problems.append(f"{place}: {error}")
    _refuse(problems)
    found = _without_twins(list(kept), list(kept.values()))
    return replace(found, twins=(*twins, *found.twins))


def _item(takes: str, word: str, text: str, folder: Path) -> Any:
    if not word or not text:
        raise BadItem("nothing stands there")
    if takes == "composition":
        parse(text)
        return text
    if takes == "smiles":
        return text
    if takes == "molecule":
        return replace(read_xyz(folder / text), name=word)
    found = read_structures(folder / text)
    if len(found) > 1:
        raise BadItem(f"{text} holds {len(found)} structures; one file of one structure is needed for each row")
    return replace(found[0], name=word)


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        more = len(problems) - MOST_PROBLEMS
        raise BadPool([*problems[:MOST_PROBLEMS], *([f"and {more} more of that kind"] if more > 0 else [])])


def _without_twins(words: Sequence[str], items: Sequence[Any]) -> Pool:
    """Leave out structures and molecules that are there already; texts are told apart by their words."""
    kept: dict[str, Any] = {}
    twins: list[tuple[str, str]] = []
    alike: dict[object, list[str]] = {}
    for word, item in zip(words, items, strict=True):
        others = alike.setdefault(_likeness(word, item), [])
        twin = next((other for other in others if _are_same(kept[other], item)), None)
        if twin is None:
            others.append(word)
            kept[word] = item
        else:
            twins.append((word, twin))
    return Pool(words=tuple(kept), items=tuple(kept.values()), twins=tuple(twins))


def _likeness(word: str, item: Any) -> object:
    """Return what is the same of all that could be the same."""
    if isinstance(item, Phase):
        return item.space_group_number, len(item.sites), item.elements
    return key_of(item) if isinstance(item, Molecule) else word


def _are_same(one: Any, other: Any) -> bool:
    return are_twins(one, other) if isinstance(one, Phase) else True
