"""What is evaluated: probabilities and truth side by side, at the level of slices, scans and patients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError
from ichscan.labels import LABELS
from ichscan.types import Float64

UNKNOWN: Final = 255
"""In arrays of labels: not known."""
LEVELS: Final = ("slices", "scans", "patients")


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """One label of one level, where it is known and predicted.

    Attributes:
        p: float64 (n,), probabilities.
        y: uint8 (n,), 0 or 1.
        patients: int64 (n,), a number for each patient.
        fold: int64 (n,), the fold that was held out for the row; -1 = none.
        rows: int64 (n,), rows of the `Cases`.
    """

    p: Float64
    y: NDArray[np.uint8]
    patients: NDArray[np.int64]
    fold: NDArray[np.int64]
    rows: NDArray[np.int64]

    @property
    def positives(self) -> int:
        """Number of rows with y = 1."""
        return int(np.count_nonzero(self.y))

    @property
    def estimable(self) -> bool:
        """Both classes are there."""
        return 0 < self.positives < len(self.y)


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Rows of one level.

    Attributes:
        level: of `LEVELS`.
        ids: str (n,), slice_id, series_uid or patient_id; each once.
        patients: int64 (n,), a number for each patient; the same numbers at all levels.
        p: float64 (n, 6) in [0, 1], in the order of `ichscan.labels.LABELS`; NaN = not predicted.
        y: uint8 (n, 6), 0 or 1; 255 = not known.
        fold: int64 (n,), the fold that was held out for the row; -1 = none.
        thresholds: float64 (6,), positive means p >= threshold; NaN = none.
        facts: column -> (n,) array, what subgroups are made of (see `ichscan.evaluate.facts`).
    """

    level: str
    ids: NDArray[np.str_]
    patients: NDArray[np.int64]
    p: Float64
    y: NDArray[np.uint8]
    fold: NDArray[np.int64]
    thresholds: Float64
    facts: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        n = len(self.ids)
        if self.p.shape != (n, len(LABELS)) or self.y.shape != (n, len(LABELS)):
            raise ValueError(f"{self.level}: expected p and y ({n}, 6), found {self.p.shape} and {self.y.shape}")
        if len(self.patients) != n or len(self.fold) != n:
            raise ValueError(f"{self.level}: patients and folds differ in length from {n} rows")
        bad = np.flatnonzero((self.p < 0) | (self.p > 1) | np.isinf(self.p))
        if len(bad):
            row, c = divmod(int(bad[0]), len(LABELS))
            raise DataError(
                f"{self.level}: {self.ids[row]}, {LABELS[c]}: expected a probability from 0 to 1, found "
                f"{self.p[row, c]:g} ({len(bad):,} such values); write probabilities, not logits or percent"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def label(self, c: int) -> Binary:
        """One label, by its index, where it is known and predicted."""
        rows = np.flatnonzero((self.y[:, c] != UNKNOWN) & ~np.isnan(self.p[:, c]))
        return Binary(self.p[rows, c], self.y[rows, c], self.patients[rows], self.fold[rows], rows)

    def where(self, chosen: NDArray[np.bool_]) -> "Cases":
        """The rows where `chosen`, bool (n,), is true."""
        facts = {name: values[chosen] for name, values in self.facts.items()}
        return Cases(
            self.level, self.ids[chosen], self.patients[chosen], self.p[chosen], self.y[chosen], self.fold[chosen],
            self.thresholds, facts,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that an evaluation knows. Parts of the report are made from it and from nothing else.

    Attributes:
        slices, scans, patients: the three levels; slices are in the order of the store: by patient, study, series and
            from inferior to superior.
        scan_of_slice: int64 (slices,), row of `scans`.
        patient_of_scan: int64 (scans,), row of `patients`.
        source: for people and programs: what was evaluated (kind, name, version, sha256, path's last part).
        data: for people and programs: what on (kind, digest, counts, part).
        chosen_on: where the thresholds come from, one sentence.
    """

    slices: Cases
    scans: Cases
    patients: Cases
    scan_of_slice: NDArray[np.int64]
    patient_of_scan: NDArray[np.int64]
    source: Mapping[str, Any]
    data: Mapping[str, Any]
    chosen_on: str

    def level(self, name: str) -> Cases:
        """By name, of `LEVELS`."""
        return {"slices": self.slices, "scans": self.scans, "patients": self.patients}[name]

    @property
    def shown_levels(self) -> tuple[str, ...]:
        """Levels that tell something of their own: patients with one scan each are told as scans."""
        return LEVELS if len(self.patients) != len(self.scans) else LEVELS[:2]
