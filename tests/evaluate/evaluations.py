"""Small evaluations for the tests of parts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Cases, Evaluation
from ichscan.labels import ANY, LABELS

THRESHOLD = 0.5


def labels_of(rows: Sequence[str]) -> NDArray[np.uint8]:
    """One word per row: "-" for none, else the first letters of the types, as in "ep,sd" (any is set by itself)."""
    short = {"ep": 0, "ip": 1, "iv": 2, "sa": 3, "sd": 4}
    y = np.zeros((len(rows), len(LABELS)), np.uint8)
    for i, row in enumerate(rows):
        for name in row.split(",") if row != "-" else ():
            y[i, short[name]] = y[i, ANY] = 1
    return y


def evaluation(p: NDArray[np.float64], y: NDArray[np.uint8], scan: Sequence[int], fold: int = 0) -> Evaluation:
    """Slices of scans, one scan per patient; a scan is as suspicious as its most suspicious slice."""
    scans = np.asarray(scan, np.int64)
    n = int(scans.max()) + 1
    index = [np.flatnonzero(scans == k) for k in range(n)]
    cut = np.full(len(LABELS), THRESHOLD)
    ids = np.array([f"{s}/{i - index[s][0]}" for i, s in enumerate(scans)])
    one_each = np.arange(n)
    scan_p, scan_y = np.array([p[i].max(0) for i in index]), np.array([y[i].max(0) for i in index])

    def cases(level: str, names: list[str]) -> Cases:
        return Cases(level, np.array(names), one_each, scan_p, scan_y, np.full(n, fold), cut)

    return Evaluation(
        Cases("slices", ids, scans, p, y, np.full(len(p), fold), cut),
        cases("scans", [f"series-{k}" for k in range(n)]),
        cases("patients", [f"{k}" for k in range(n)]),
        scans,
        one_each,
        {"kind": "table", "path": "predictions.csv", "name": "predictions", "out_of_fold": fold >= 0},
        {"kind": "own", "digest": "0" * 64, "warnings": []},
        "chosen elsewhere",
    )
