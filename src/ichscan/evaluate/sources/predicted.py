"""What a source of predictions gives: rows by id, where its thresholds come from, and what it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ichscan.labels import LABELS
from ichscan.types import Float64

NO_THRESHOLDS = "no thresholds are known; choose them with --choose, or give those of another set with --thresholds"


def no_thresholds() -> Float64:
    """float64 (6,) of NaN."""
    return np.full(len(LABELS), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Predictions of one level.

    Attributes:
        ids: Arrow array of text (n,), slice_id or series_uid; each once.
        p: float64 (n, 6) in [0, 1], NaN = not predicted.
        fold: int64 (n,), the fold that was held out; -1 = none.
        y: uint8 (n, 6), the truth that stands in the same table; None = none does.
    """

    ids: Any
    p: Float64
    fold: NDArray[np.int64]
    y: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Predictions of slices, and of scans when the source has its own.

    Attributes:
        slices: every predicted slice.
        scans: None = a scan is as suspicious as its most suspicious slice.
        about: for people and programs: kind, name, version, sha256, path's last part; "calibrated" is false where a
            bundle made of the same networks would calibrate these probabilities.
        thresholds: "slices" and "scans" -> float64 (6,), NaN = none.
        chosen_on: where they come from, one sentence.
        by_place: ids of slices are patient#index, see `ichscan.evaluate.truth.Truth.places`; of scans, the patient.
        patients: those of the part that was predicted; None = all of the data.
        only_hemorrhagic: slices without hemorrhage do not count: the source is about types alone.
        without: slices with these types do not count.
        failed: series_uid -> why it was not analysed.
        warnings: what makes results doubtful, one sentence each.
    """

    slices: Rows
    scans: Rows | None
    about: Mapping[str, Any]
    thresholds: Mapping[str, Float64] = field(
        default_factory=lambda: {"slices": no_thresholds(), "scans": no_thresholds()}
    )
    chosen_on: str = NO_THRESHOLDS
    by_place: bool = False
    patients: frozenset[str] | None = None
    only_hemorrhagic: bool = False
    without: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
