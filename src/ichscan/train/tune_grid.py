"""The file of `ichscan tune --grid`: recipe keys and the values to try."""

import tomllib
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from ichscan.errors import UsageError

Value = str | int | float | bool
Grid = dict[str, tuple[Value, ...]]


def read_grid(path: Path) -> Grid:
    """Reads `"table.key" = [value, value, ...]` lines.

    Raises:
        UsageError: unreadable, empty, or a key without a list of different plain values; names the key.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the grid ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    flat = _flat(raw)
    if not flat:
        raise UsageError(f'{path}: expected lines such as "loss.hemorrhage" = [2, 4], found none')
    for key, values in flat.items():
        if not isinstance(values, list) or not values or not all(isinstance(v, Value) for v in values):
            raise UsageError(f"{path}: {key}: expected a list of numbers, words or true/false, found {values!r}")
        if len({repr(v) for v in values}) != len(values):
            raise UsageError(f"{path}: {key}: expected each value once, found {values!r}")
    return {key: tuple(values) for key, values in flat.items()}


def _flat(raw: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Quoted keys ("loss.healthy") and tables ([loss]) mean the same."""
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        name = f"{where}.{key}" if where else key
        flat |= _flat(value, name) if isinstance(value, dict) else {name: value}
    return flat


def combinations(grid: Grid) -> list[dict[str, Value]]:
    """All combinations, the last key changing fastest."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def overrides(chosen: Mapping[str, Value]) -> list[str]:
    """As `--set` takes them."""
    return [f"{key}={_toml(value)}" for key, value in chosen.items()]


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else repr(value)
