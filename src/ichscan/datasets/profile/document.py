"""The report as JSON, for programs."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from ichscan.pages.section import Figure, Grid, Section

SCHEMA: Final = "ichscan.profile/1"


def to_json(head: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """The document described in docs/profile.md. Numbers are finite; what is not known is null."""
    document = {"schema": SCHEMA, **head, "sections": {section.key: _section(section) for section in sections}}
    return json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "source": section.source,
        "notes": list(section.notes),
        "tables": {grid.key: _grid(grid) for grid in section.grids},
        "figures": {figure.key: _figure(figure) for figure in section.figures},
    }


def _grid(grid: Grid) -> dict[str, Any]:
    return {"title": grid.title, "columns": list(grid.columns), "rows": [list(row) for row in grid.rows]}


def _figure(figure: Figure) -> dict[str, Any]:
    return {"title": figure.title, "kind": type(figure.chart).__name__.lower(), **asdict(figure.chart)}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
