"""A training recipe: one TOML, unknown keys refused, every default visible here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ichscan.model.spec import Channel, InputSpec
from ichscan.train import toml
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
    specificity: float = 0.85
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
    raw = toml.read(path, overrides)
    if "input" in raw:
        raw["input"] = toml.fill_input(raw["input"], path)
    for key, table in TABLES.items():
        if key in raw:
            raw[key] = toml.fill(table, raw[key], f"{path}: [{key}]")
    recipe: Recipe = toml.fill(Recipe, raw, str(path))
    return recipe
