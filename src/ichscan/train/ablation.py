"""The ablation of Burduja et al. 2020, table 2, on any features: what the scan model and the selection are worth.

Each variant is predicted out of fold and scored by the weighted log loss of RSNA 2019 over all labelled slices, with
an interval by resampling patients; so is its difference from the slice network alone, on the same resamples.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from ichscan.errors import DataError
from ichscan.evaluate.metrics import weighted_log_losses
from ichscan.evaluate.resampling import bootstrap_mean
from ichscan.labels import LABELS
from ichscan.train.scan_set import UNKNOWN, Fold
from ichscan.train.scans import ScanPredictions, cross_fit
from ichscan.train.workbench_sequence_tables import SCAN_TRAINING, Select
from ichscan.train.workbench_sequence_tables import Sequence as SequenceTable
from ichscan.train.workbench_tables import Training
from ichscan.types import Float64

BILSTM: Final = SequenceTable("bilstm", hidden=256, layers=3, dropout=0.3, any_weight=1.0, training=SCAN_TRAINING)
"""Burduja et al. 2020: 3 x 256, dropout .3, Adam 1e-4, 4 epochs, one scan per batch."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the ablation before it is run."""

    name: str
    select: Select
    sequence: SequenceTable


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One row of the table.

    Attributes:
        name: of the variant.
        sequence: scan model, e.g. "bilstm 3 x 256".
        features: method of selection.
        count: numbers per slice that the scan model sees.
        loss: weighted log loss over labelled slices.
        low, high: 95 % interval of the loss, by patient.
        gain: loss of the slice network alone minus `loss`.
        gain_low, gain_high: 95 % interval of the gain, by patient.
        slices, patients: that were scored.
    """

    name: str
    sequence: str
    features: str
    count: int
    loss: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    slices: int
    patients: int

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return dataclasses.asdict(self)


def burduja_variants(
    counts: Sequence[int] = (32, 120), sequence: SequenceTable = BILSTM, *, smaller: bool = True
) -> list[Variant]:
    """The rows of table 2: none; predictions; std; weights; PCA; PCA with the predictions joined.

    Args:
        counts: features kept (the paper's: 192 and 120).
        sequence: the scan model (the paper's 3 x 256).
        smaller: also 2 x 128 and 3 x 128 on PCA features, of the last count.
    """
    joined = dataclasses.replace(sequence, join=True)
    rows = [
        Variant("slice network alone", Select("predictions"), SequenceTable("none")),
        Variant("moving mean", Select("predictions"), SequenceTable("mean")),
        Variant("predictions only", Select("predictions"), sequence),
    ]
    for count in counts:
        for method in ("std", "weights_largest", "weights_smallest", "pca"):
            rows.append(Variant(f"{method} {count}", Select(method, count), sequence))
        rows.append(Variant(f"pca {count} + predictions", Select("pca", count), joined))
    if smaller:
        for layers, hidden in ((2, 128), (3, 128)):
            slim = dataclasses.replace(sequence, layers=layers, hidden=hidden)
            rows.append(Variant(f"pca {counts[-1]}, {layers} x {hidden}", Select("pca", counts[-1]), slim))
    return rows


def with_training(variants: Sequence[Variant], training: Training) -> list[Variant]:
    """The same variants, trained otherwise (fewer epochs for a trial, larger batches on a GPU)."""
    return [dataclasses.replace(v, sequence=dataclasses.replace(v.sequence, training=training)) for v in variants]


def ablate(
    folds: Mapping[int, Fold],
    variants: Sequence[Variant],
    folder: Path,
    fabric: Fabric,
    *,
    draws: int = 1000,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> list[AblationRow]:
    """Runs every variant out of fold. A killed run continues with the same folder.

    Args:
        folds: the features of each by the slice network that was trained on its training scans.
        variants: see `burduja_variants`.
        folder: one subfolder per variant.
        fabric: see `ichscan.train.loop.start`.
        draws: resamples of patients; 0 = no intervals.
        seed: of the resampling.
        progress: is told what is under way.

    Raises:
        DataError: no slice has all six labels.
        UsageError: more features asked for than there are.
    """
    truth = _Truth.of(folds)
    alone = truth.align(cross_fit(SequenceTable("none"), Select("predictions"), folds, folder / "alone", fabric))
    rows = []
    for number, variant in enumerate(variants, 1):
        progress(f"{number}/{len(variants)} {variant.name}")
        place = folder / f"{number:02d}_{variant.select.method}_{variant.select.count}_{variant.sequence.kind}"
        predicted = truth.align(cross_fit(variant.sequence, variant.select, folds, place, fabric))
        rows.append(_row(variant, folds, truth, predicted, alone, draws, seed))
    return rows


def markdown(rows: Sequence[AblationRow]) -> str:
    """The table as Markdown, for the docs."""
    names = ("variant", "scan model", "n", "weighted log loss (95 %)", "gain over the slice network (95 %)")
    head = f"| {' | '.join(names)} |\n{'|---' * len(names)}|\n"
    return head + "".join(
        f"| {r.name} | {r.sequence} | {r.count} | {r.loss:.5f} ({r.low:.5f} to {r.high:.5f}) | "
        f"{r.gain:+.5f} ({r.gain_low:+.5f} to {r.gain_high:+.5f}) |\n"
        for r in rows
    )


@dataclass(frozen=True, slots=True)
class _Truth:
    """Labels of all held-out slices with six known labels; `order` finds them among predictions sorted by id."""

    ids: NDArray[np.str_]
    labels: NDArray[np.uint8]
    patients: NDArray[np.str_]

    @classmethod
    def of(cls, folds: Mapping[int, Fold]) -> "_Truth":
        held = [fold.held_out for fold in folds.values()]
        ids = np.concatenate([h.ids[h.rows] for h in held])
        labels = np.concatenate([h.labels[h.rows] for h in held])
        patients = np.concatenate([h.slice_patients for h in held])
        if labels.shape[1] != len(LABELS):
            raise DataError(f"ablation: expected the six labels, found {labels.shape[1]}")
        known = (labels != UNKNOWN).all(axis=1)
        if not known.any():
            raise DataError("ablation: expected slices with six known labels, found none in the held-out scans")
        order = np.argsort(ids[known])
        return cls(ids[known][order], labels[known][order], patients[known][order])

    def align(self, predictions: ScanPredictions) -> Float64:
        """Probabilities float64 (n, 6) in the order of `ids`."""
        order = np.argsort(predictions.slices.ids)
        places = order[np.searchsorted(predictions.slices.ids[order], self.ids)]
        return predictions.slices.values[places]


def _row(
    variant: Variant,
    folds: Mapping[int, Fold],
    truth: _Truth,
    predicted: Float64,
    alone: Float64,
    draws: int,
    seed: int,
) -> AblationRow:
    losses, patients = weighted_log_losses(predicted, truth.labels), truth.patients
    gains = weighted_log_losses(alone, truth.labels) - losses
    low, high = bootstrap_mean(losses, patients, draws, seed)
    gain_low, gain_high = bootstrap_mean(gains, patients, draws, seed)
    sequence, select = variant.sequence, variant.select
    trained = sequence.kind not in ("none", "mean")
    width = next(iter(folds.values())).training.features.shape[1]
    return AblationRow(
        variant.name,
        f"{sequence.kind} {sequence.layers} x {sequence.hidden}" if trained else sequence.kind,
        select.method,
        len(LABELS) if select.method == "predictions" else select.count or width,
        float(losses.mean()),
        low,
        high,
        float(gains.mean()),
        gain_low,
        gain_high,
        len(losses),
        len(np.unique(patients)),
    )
