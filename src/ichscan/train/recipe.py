"""A training recipe: one TOML, unknown keys refused, every default visible here."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ichscan.errors import BundleError, UsageError
from ichscan.model.spec import Channel, InputSpec
from ichscan.train.sequence import SequenceTraining
from ichscan.train.slices import SliceTraining

DEFAULT_INPUT = InputSpec(
    channels=(Channel(40, 80, -5), Channel(40, 80, 0), Channel(40, 80, 5), Channel(80, 200, 0)),
    crop="head",
    size=256,
    mean=(0.291, 0.291, 0.291, 0.223),
    std=(0.359, 0.359, 0.359, 0.313),
    interpolation="smooth",
    slab_mm=5.0,
    sequence_mm=5.0,
    unclip=True,
)


@dataclass(frozen=True, slots=True)
class Teaching:
    """Recipe table [teacher]: published segmentation networks whose soft masks the slice network learns.

    Attributes:
        weights: safetensors files of BLAST-CT networks; none = no teacher.
    """

    weights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulation:
    """Recipe table [simulate]: bleeds set into healthy training patients; `per_kind` of each type per patient."""

    per_kind: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a training run, besides the data."""

    name: str = "ichscan-default"
    version: str = "1.0.0"
    description: str = ""
    seed: int = 2026
    folds: int = 5
    ensemble: int = 3
    imagenet: str = ""
    input: InputSpec = DEFAULT_INPUT
    teacher: Teaching = field(default_factory=Teaching)
    simulate: Simulation = field(default_factory=Simulation)
    slices: SliceTraining = field(default_factory=SliceTraining)
    sequence: SequenceTraining = field(default_factory=SequenceTraining)


TABLES = {"teacher": Teaching, "simulate": Simulation, "slices": SliceTraining, "sequence": SequenceTraining}


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe and applies `table.key=value` overrides (values in TOML syntax).

    Raises UsageError naming the file, the key and what was expected.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        for override in overrides:
            _override(raw, override)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the recipe ({error.strerror})") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    if "input" in raw:
        raw["input"] = _input(raw["input"], path)
    for key, table in TABLES.items():
        if key in raw:
            raw[key] = _fill(table, raw[key], f"{path}: [{key}]")
    recipe: Recipe = _fill(Recipe, raw, str(path))
    return recipe


def _input(raw: Mapping[str, Any], path: Path) -> InputSpec:
    try:
        values = dict(raw)
        values["channels"] = tuple(Channel(**channel) for channel in values.get("channels", ()))
    except TypeError as error:
        raise UsageError(f"{path}: [input].channels: expected center, width, offset_mm ({error})") from error
    try:
        spec: InputSpec = _fill(InputSpec, values, f"{path}: [input]")
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
    raw[name] = parsed


_ACCEPTED: Final[Mapping[Any, tuple[type, ...]]] = {int: (int,), float: (int, float), str: (str,)}
"""What TOML value a field of a recipe takes, by the type that the field declares."""


def _fill(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    known = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"{where}: unknown keys {unknown}; known are {sorted(known)}")
    try:
        filled = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from error
    for name, entry in known.items():
        value = getattr(filled, name)
        accepted = _ACCEPTED.get(entry.type)
        if accepted and (not isinstance(value, accepted) or isinstance(value, bool)):
            raise UsageError(f"{where}.{name}: expected {entry.type.__name__}, found {value!r}")  # type: ignore[union-attr]
    return filled
