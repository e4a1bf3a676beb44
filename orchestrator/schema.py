"""JSON Schemas of the campaign and lab files, for editors; `python -m orchestrator.schema` writes docs/schema/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from orchestrator.campaign import Campaign
from orchestrator.fields import StrictModel
from orchestrator.lab import Lab

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schema"
MODELS: Mapping[str, type[StrictModel]] = {"campaign": Campaign, "lab": Lab}


class _Draft2020(GenerateJsonSchema):
    """Names the dialect, and leaves out titles that only repeat the names of keys."""

    def generate(self, schema: Any, mode: Any = "validation") -> dict[str, Any]:
        """Return the schema of a model."""
        return {"$schema": self.schema_dialect, **super().generate(schema, mode)}

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Say that a field needs no title."""
        return False


def schemas() -> dict[str, str]:
    """Return the text of each schema file, by file name."""
    return {
        f"{name}.schema.json": json.dumps(
            model.model_json_schema(by_alias=True, schema_generator=_Draft2020), indent=2, ensure_ascii=False
        )
        + "\n"
        for name, model in MODELS.items()
    }


def main() -> None:
    """Write the schema files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
