"""The stages of an experiment in their order, and what proves that one is done."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lightning_fabric import Fabric

from ichscan.datasets.store import SliceStore
from ichscan.scale.executor import Executor
from ichscan.train.slice_folds import TEST
from ichscan.train.workbench_recipe import WorkbenchRecipe

STAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "split": "split.json",
        "slices": "slices/runs.json",
        "features": "features/done.json",
        "scans": "scans/done.json",
        "ensemble": "predictions/done.json",
        "outcome": "metrics.json",
        "export": "bundle.json",
    }
)
"""Stage -> the file in the run folder that is written last: a stage whose file is there is skipped."""
Workers = Callable[[], AbstractContextManager[Executor | None]]
"""Opens what computes features elsewhere, for as long as they are computed; None = this process computes them."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What every stage needs.

    Attributes:
        recipe: as resolved.
        store: the collection.
        parts: patients of each part of the split.
        folder: the run folder.
        fabric: the devices, started once.
        progress: is told one line per step.
        workers: what computes features.
    """

    recipe: WorkbenchRecipe
    store: SliceStore
    parts: Mapping[str, tuple[str, ...]]
    folder: Path
    fabric: Fabric
    progress: Callable[[str], None]
    workers: Workers = nullcontext

    @property
    def test_patients(self) -> frozenset[str]:
        """Patients that nothing is fitted to: the test part of the split, and that of a challenge without labels."""
        own = self.parts.get(self.recipe.data.test or TEST, ())
        table = self.store.scans
        challenge = [
            patient
            for patient, part in zip(table["patient_id"].to_pylist(), table["part"].to_pylist(), strict=True)
            if part == "test"
        ]
        split = {p for name, part in self.parts.items() if name != (self.recipe.data.test or TEST) for p in part}
        return frozenset([*own, *(set(challenge) - split)]) - set(self.recipe.data.patients_without)

    def done(self, stage: str) -> bool:
        """Whether the result of a stage is there."""
        return (self.folder / STAGES[stage]).exists()
