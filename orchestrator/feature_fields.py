"""Features and pools of candidates in a campaign file: what a word stands for, and what surrogates see of it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.fields import StrictModel, did_you_mean, mistake
from orchestrator.tables import PARQUET

FILES = ("structure", "molecule")
"""Items that are read from files of their own."""
_OF_TABLES = (".csv", PARQUET)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Features(StrictModel):
    """What surrogates see of the words of a parameter."""

    takes: Literal["composition", "structure", "molecule", "smiles"] = Field(
        alias="from", description="What a word stands for: its formula, its file (CIF or XYZ), or its SMILES"
    )
    kind: Annotated[
        tuple[str, ...],
        Field(min_length=1),
        BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
    ] = Field(description="A featurizer or several: element_statistics, sine_matrix, a plug-in, ./file.py:Class")
    options: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Options of featurizers, by kind")
    versions: dict[str, str] = Field(
        default_factory=dict, description="What the featurizers' versions must be, by kind; found out where left out"
    )

    @model_validator(mode="after")
    def _are_of_its_kinds(self) -> Features:
        for key in ("options", "versions"):
            for kind in getattr(self, key):
                if kind not in self.kind:
                    raise mistake(f"{kind!r} is none of its kinds{did_you_mean(kind, self.kind)}", at=(key, kind))
        return self


class Pool(StrictModel):
    """Where the words of a parameter come from."""

    folder: str | None = Field(
        default=None, min_length=1, description="A folder of CIF (or XYZ) files, called after them; relative to this"
    )
    table: str | None = Field(default=None, min_length=1, description="A CSV or Parquet file, relative to this one")
    column: str | None = Field(
        default=None, min_length=1, description="The table's column of words; that of the parameter's name if left out"
    )
    items: str | None = Field(
        default=None,
        min_length=1,
        description="The column of what they stand for: formulas, SMILES, file names; the words if left out",
    )
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="What the SHA-256 of it all must be; found if left out"
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Pool:
        if (self.folder is None) == (self.table is None):
            raise mistake("give a folder of files, or a table")
        for key in ("column", "items"):
            if self.folder is not None and getattr(self, key) is not None:
                raise mistake("a folder has no columns; leave it out, or give a table", at=key, of_key=True)
        return self


def _by_its_path(value: object) -> object:
    if not isinstance(value, str):
        return value
    return {"table" if PurePath(value).suffix.lower() in _OF_TABLES else "folder": value}


PoolOfWords = Annotated[Pool, BeforeValidator(_by_its_path, json_schema_input_type=str | Pool)]


def check_words(levels: tuple[str, ...], descriptors: object, features: Features | None, pool: Pool | None) -> None:
    """Refuse words without a source, and features of what nothing tells.

    Raises:
        PydanticCustomError: They do not go together.
    """
    if pool is None and not levels:
        raise mistake("missing key: the words, or a pool that they are from", at="levels")
    if len(levels) == 1:
        raise mistake("must have at least 2 items", at="levels")
    if features is not None and descriptors is not None:
        raise mistake("give descriptors or features, not both", at="features", of_key=True)
    if pool is not None and features is None:
        raise mistake(
            "missing key: what the pool's words stand for, such as {from: structure, kind: sine_matrix}", at="features"
        )
    if features is not None and pool is None and features.takes in FILES:
        raise mistake(
            f"a {features.takes} is read from a file; say from where: 'pool: FOLDER', or a table that names files",
            at=("features", "from"),
        )
