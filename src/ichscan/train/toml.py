"""TOML into frozen dataclasses: unknown keys and wrong types are refused with the place where they stand."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from ichscan.errors import BundleError, UsageError
from ichscan.model.spec import Channel, InputSpec

_ACCEPTED: Final[Mapping[Any, tuple[type, ...]]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}
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

    Lists become tuples. A whole number stands for its text where a text is expected: `--set training.precision=32`.
    """
    known = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"{where}: unknown keys {unknown}; known are {sorted(known)}")
    values = {k: str(v) if known[k].type is str and type(v) is int else v for k, v in values.items()}
    for name, value in values.items():
        if not _fits(value, known[name].type):
            raise UsageError(f"{where}.{name}: expected {_words(known[name].type)}, found {value!r}")
    try:
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from error


def _fits(value: Any, declared: Any) -> bool:
    """Whether a value of TOML is of the declared type; of tuples each item is looked at, of tables nothing."""
    if get_origin(declared) is tuple:
        item = get_args(declared)[0]
        return isinstance(value, list | tuple) and all(_fits(one, item) for one in value)
    if get_origin(declared) in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(declared))
    accepted = _ACCEPTED.get(declared)
    return accepted is None or (isinstance(value, accepted) and (declared is bool or not isinstance(value, bool)))


def _words(declared: Any) -> str:
    if get_origin(declared) is tuple:
        return f"a list of {_words(get_args(declared)[0])}"
    return declared.__name__ if isinstance(declared, type) else " or ".join(map(_words, get_args(declared)))


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
