"""TOML into frozen dataclasses: unknown keys and wrong types are refused with the place where they stand."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ichscan.errors import BundleError, UsageError
from ichscan.model.spec import Channel, InputSpec

_ACCEPTED: Final[Mapping[Any, tuple[type, ...]]] = {int: (int,), float: (int, float), str: (str,)}
"""What TOML value a field of a recipe takes, by the type that the field declares. A bool is no number."""


def read(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Reads a TOML file and applies `table.key=value` overrides (values in TOML syntax).

    Raises UsageError naming the file or the override.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        for override in overrides:
            _override(raw, override)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the recipe ({error.strerror})") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    return raw


def fill(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    """An instance of the dataclass `kind`. Raises UsageError naming `where` for unknown keys and wrong types.

    Lists become tuples.
    """
    known = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"{where}: unknown keys {unknown}; known are {sorted(known)}")
    for name, value in values.items():
        accepted = bool if known[name].type is bool else _ACCEPTED.get(known[name].type)
        if accepted and (not isinstance(value, accepted) or (isinstance(value, bool) and accepted is not bool)):
            expected = known[name].type.__name__  # type: ignore[union-attr]
            raise UsageError(f"{where}.{name}: expected {expected}, found {value!r}")
    try:
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from error


def fill_input(raw: Mapping[str, Any], path: Path) -> InputSpec:
    """The table [input]: an `InputSpec` whose channels are tables themselves."""
    try:
        values = dict(raw)
        values["channels"] = tuple(Channel(**channel) for channel in values.get("channels", ()))
    except TypeError as error:
        raise UsageError(f"{path}: [input].channels: expected center, width, offset_mm ({error})") from error
    try:
        spec: InputSpec = fill(InputSpec, values, f"{path}: [input]")
    except BundleError as error:
        raise UsageError(f"{path}: {error}") from error
    return spec


def _override(raw: dict[str, Any], text: str) -> None:
    key, separator, value = text.partition("=")
    if not separator:
        raise UsageError(f"--set {text}: expected key=value")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()  # a bare word is a string
    *tables, name = key.strip().split(".")
    for table in tables:
        raw = raw.setdefault(table, {})
        if not isinstance(raw, dict):
            raise UsageError(f"--set {text}: {table} is a value, not a table")
    raw[name] = parsed
