"""Writes docs/recipe-keys.md from the recipe's dataclasses: `python docs/make_recipe_keys.py`. A test checks it."""

import dataclasses
import re
import textwrap
from pathlib import Path
from typing import Any

from ichscan.model.spec import InputSpec
from ichscan.train.workbench_recipe import TABLES, THREE_WINDOWS, WorkbenchRecipe

PAGE = Path(__file__).with_name("recipe-keys.md")
INTRODUCTION = """\
# Keys of a workbench recipe

Made by `docs/make_recipe_keys.py` from the program itself; do not edit.

A workbench recipe is a TOML file with `kind = "workbench"` and the tables below. A key that is not here is refused,
with the keys that are known. Every key has a default; `--set table.key=value` overrides one on the command line, lists
as in the file: `--set 'data.labels=["any"]'`. P0 to P4 are the papers that a value comes from: P0 Alqaisi & Almashagbeh
2025, P1 Hoseyni et al. 2024, P2 Burduja et al. 2020, P3 Shah 2025, P4 Wong 2019.
"""


def page() -> str:
    """The whole page."""
    top = [f for f in dataclasses.fields(WorkbenchRecipe) if f.name not in TABLES and f.name != "input"]
    meanings = {"kind": 'always "workbench"', "name": "for people", "description": "for people"}
    meanings["paper"] = "what is reproduced"
    rows = [_row(f.name, f.default, meanings[f.name]) for f in top]
    parts = [INTRODUCTION, *_table("Top level", rows)]
    for name, table in [("data", TABLES["data"]), ("input", InputSpec), *list(TABLES.items())[1:]]:
        parts += _section(name, table)
    return "\n".join(parts) + "\n"


def meanings(table: type) -> dict[str, str]:
    """What the docstring's Attributes say of each key."""
    text = textwrap.dedent("    " + (table.__doc__ or ""))
    _, _, attributes = text.partition("Attributes:\n")
    found = {}
    for entry in re.split(r"\n {4}(?=\S)", "\n" + attributes.split("\n\n")[0].rstrip()):
        names, _, meaning = entry.strip().partition(": ")
        for name in names.split(", "):
            found[name] = " ".join(meaning.split())
    return found


def _section(name: str, table: type) -> list[str]:
    told = meanings(table)
    rows = []
    for field in dataclasses.fields(table):
        if name == "input":
            default: Any = getattr(THREE_WINDOWS, field.name)
        elif field.default is not dataclasses.MISSING:
            default = field.default
        else:
            default = getattr(table(), field.name)
        rows.append(_row(field.name, default, told[field.name]))
    return _table(f"[{name}]", rows)


def _row(name: str, default: Any, meaning: str) -> str:
    meaning = meaning[:1].upper() + meaning[1:]
    return f"| `{name}` | {_toml(default)} | {meaning.replace('|', chr(92) + '|')} |"


def _toml(value: Any) -> str:
    if name := getattr(value, "name", ""):
        return f"`{name}`"
    if dataclasses.is_dataclass(value):
        return "see [training]"
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        return ", ".join(f"`{{ center = {c.center}, width = {c.width} }}`" for c in value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{v}"' if isinstance(v, str) else str(v) for v in value) + "]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _table(title: str, rows: list[str]) -> list[str]:
    return [f"## {title}", "", "| key | default | meaning |", "|---|---|---|", *rows, ""]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
