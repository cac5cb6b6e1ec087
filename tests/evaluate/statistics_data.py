"""Simulated predictions with a known truth, for coverage tests."""

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Binary, Cases, Evaluation
from ichscan.labels import LABELS


def clustered(
    rng: np.random.Generator, patients: int, rows: int, shift: float = 1.5, alike: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int64]]:
    """(scores, labels, patients): normal scores, positives higher by `shift`, correlated within a patient."""
    patient = np.repeat(np.arange(patients), rows)
    labels = ((patient % 2 == 0) & (rng.random(len(patient)) < 0.5)).astype(np.uint8)
    shared = np.sqrt(alike) * rng.normal(size=patients)[patient]
    return shared + np.sqrt(1 - alike) * rng.normal(size=len(patient)) + shift * labels, labels, patient


def binary(
    p: NDArray[np.float64], y: NDArray[np.uint8], patients: NDArray[np.int64] | None = None, folds: int = 0
) -> Binary:
    rows = np.arange(len(y))
    own = rows if patients is None else patients
    fold = own % folds if folds else np.full(len(y), -1)
    return Binary(np.asarray(p, np.float64), np.asarray(y, np.uint8), own, fold, rows)


def cases(
    level: str, rng: np.random.Generator, patients: NDArray[np.int64], thresholds: float = 0.4, folds: int = 5
) -> Cases:
    """Six labels; subdural has no positive."""
    n = len(patients)
    y = (rng.random((n, 6)) < 0.3).astype(np.uint8)
    y[:, LABELS.index("subdural")] = 0
    y[:, 5] = y[:, :5].max(axis=1)
    p = 1 / (1 + np.exp(-(2.0 * y - 1 + rng.normal(size=(n, 6)))))
    ids = np.array([f"{level}{i}" for i in range(n)])
    return Cases(level, ids, patients, p, y, patients % folds, np.full(6, thresholds))


def evaluation(part: str = "validation", patients: int = 40) -> Evaluation:
    rng = np.random.default_rng(5)
    number = np.arange(patients)
    scan = np.repeat(number, 2)
    slices = np.repeat(scan, 6)
    return Evaluation(
        cases("slices", rng, slices), cases("scans", rng, scan), cases("patients", rng, number),
        np.repeat(np.arange(len(scan)), 6), scan, {"kind": "table", "path": "p.parquet"},
        {"kind": "table", "part": part}, "elsewhere",
    )  # fmt: skip
