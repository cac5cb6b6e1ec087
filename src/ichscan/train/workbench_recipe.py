"""A workbench recipe (`kind = "workbench"`): a paper's experiment as one TOML; unknown keys refused.

Loading it needs no torch. The default recipe (`ichscan.train.recipe`) is another kind.
"""

import hashlib
import json
from collections.abc import Sequence as Many
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from ichscan.errors import UsageError
from ichscan.model.spec import Channel, InputSpec
from ichscan.train import toml
from ichscan.train.workbench_sequence_tables import Features, Select, Sequence
from ichscan.train.workbench_tables import (
    Augment,
    Data,
    Ensemble,
    Loss,
    Network,
    Outcome,
    Sampling,
    Training,
)

KIND: Final = "workbench"

THREE_WINDOWS: Final = InputSpec(
    channels=(Channel(40, 80), Channel(80, 200), Channel(40, 380)),
    crop="slice",
    size=224,
    mean=(0.2236, 0.1819, 0.2523),
    std=(0.3245, 0.3245, 0.3133),
)
"""The papers' brain, subdural and soft tissue windows (P0 section 3.3.3), with P0's mean and standard deviation."""


@dataclass(frozen=True, slots=True)
class WorkbenchRecipe:
    """Everything that decides the outcome of an experiment, besides the data.

    Attributes:
        kind: always "workbench".
        name, description: for people.
        paper: what is reproduced.
        data, input, augment, sampling, network, loss, training, features, select, sequence, ensemble, outcome: tables.
    """

    kind: str = KIND
    name: str = "workbench"
    description: str = ""
    paper: str = ""
    data: Data = field(default_factory=Data)
    input: InputSpec = THREE_WINDOWS
    augment: Augment = field(default_factory=Augment)
    sampling: Sampling = field(default_factory=Sampling)
    network: Network = field(default_factory=Network)
    loss: Loss = field(default_factory=Loss)
    training: Training = field(default_factory=Training)
    features: Features = field(default_factory=Features)
    select: Select = field(default_factory=Select)
    sequence: Sequence = field(default_factory=Sequence)
    ensemble: Ensemble = field(default_factory=Ensemble)
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        if self.kind != KIND:
            raise UsageError(f"kind: expected {KIND!r}, found {self.kind!r}")

    @property
    def digest(self) -> str:
        """sha256 over every key: tells whether a run folder belongs to this recipe."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


TABLES: Final[dict[str, type]] = {
    "data": Data,
    "augment": Augment,
    "sampling": Sampling,
    "network": Network,
    "loss": Loss,
    "training": Training,
    "features": Features,
    "select": Select,
    "sequence": Sequence,
    "ensemble": Ensemble,
    "outcome": Outcome,
}


def load_workbench(path: Path, overrides: Many[str] = ()) -> WorkbenchRecipe:
    """Reads a workbench recipe and applies `table.key=value` overrides (values in TOML syntax).

    Raises UsageError naming the file, the table, the key and what was expected.
    """
    raw: dict[str, Any] = toml.read(path, overrides)
    if raw.get("kind") != KIND:
        raise UsageError(f"{path}: expected kind = {KIND!r}, found {raw.get('kind')!r}; is this the default recipe?")
    try:
        if "input" in raw:
            raw["input"] = toml.fill_input(raw["input"], path)
        if "training" in raw.get("sequence", {}):
            where = f"{path}: [sequence.training]"
            raw["sequence"]["training"] = toml.fill(Training, raw["sequence"]["training"], where)
        for key, table in TABLES.items():
            if key in raw:
                raw[key] = toml.fill(table, raw[key], f"{path}: [{key}]")
        recipe: WorkbenchRecipe = toml.fill(WorkbenchRecipe, raw, str(path))
    except UsageError as error:
        text = str(error)
        raise UsageError(text if text.startswith(str(path)) else f"{path}: {text}") from error
    return recipe
