"""Which cases a decision gets wrong, the most confident first."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Cases
from ichscan.labels import ANY

HALF: Final = 0.5
"""Stands in for a threshold where none is known."""
ID_SHOWN: Final = 12


def decided(cases: Cases) -> dict[str, NDArray[np.int64]]:
    """Rows by kind ("missed", "false alarm", "found", "rightly negative") for `any`, the clearest of each kind first.

    The clearest of the missed and of the rightly negative have the lowest probability, of the others the highest.
    """
    binary = cases.label(ANY)
    threshold = float(cases.thresholds[ANY])
    positive = binary.p >= (HALF if np.isnan(threshold) else threshold)
    truth = binary.y == 1
    kinds = {
        "missed": (~positive & truth, 1.0), "false alarm": (positive & ~truth, -1.0),
        "found": (positive & truth, -1.0), "rightly negative": (~positive & ~truth, 1.0),
    }  # fmt: skip
    found = {}
    for kind, (chosen, sign) in kinds.items():
        here = np.flatnonzero(chosen)
        found[kind] = binary.rows[here[np.argsort(sign * binary.p[here], kind="stable")]]
    return found


def spread_over_patients(cases: Cases, rows: NDArray[np.int64], most: int, each: int) -> list[int]:
    """The first `most` of `rows` with at most `each` of a patient, so that one scan does not fill the list."""
    taken: list[int] = []
    seen: dict[int, int] = {}
    for row in rows:
        patient = int(cases.patients[row])
        if seen.get(patient, 0) < each:
            seen[patient] = seen.get(patient, 0) + 1
            taken.append(int(row))
        if len(taken) == most:
            break
    return taken


def shortened_id(name: str) -> str:
    """The last characters of an identifier that is too long to read."""
    return name if len(name) <= ID_SHOWN else f"…{name[-ID_SHOWN:]}"
