"""Sections as JSON, for programs: the numbers of every table and chart; of pictures the title and description only."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ichscan.pages.section import Figure, Grid, Picture, Section


def to_json(schema: str, head: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """A whole document: the schema's name, the entries of `head`, and the sections by key."""
    return dumps({"schema": schema, **head, "sections": sections_of(sections)})


def sections_of(sections: Sequence[Section]) -> dict[str, Any]:
    """JSON values of sections, by key and in order; pass them through `finite` or `dumps` before writing."""
    return {section.key: _section(section) for section in sections}


def dumps(document: Mapping[str, Any]) -> str:
    """The text of a JSON document; numbers are finite, what is not known is null."""
    return json.dumps(finite(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """The same value with lists for tuples, and None for numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value


def _section(section: Section) -> dict[str, Any]:
    document: dict[str, Any] = {
        "title": section.title,
        "source": section.source,
        "notes": list(section.notes),
        "tables": {grid.key: _grid(grid) for grid in section.grids},
        "figures": {figure.key: _figure(figure) for figure in section.figures},
    }
    if section.pictures:
        document["pictures"] = {picture.key: _picture(picture) for picture in section.pictures}
    return document


def _grid(grid: Grid) -> dict[str, Any]:
    return {"title": grid.title, "columns": list(grid.columns), "rows": [list(row) for row in grid.rows]}


def _figure(figure: Figure) -> dict[str, Any]:
    return {"title": figure.title, "kind": type(figure.chart).__name__.lower(), **asdict(figure.chart)}


def _picture(picture: Picture) -> dict[str, Any]:
    return {"title": picture.title, "alt": picture.alt}
