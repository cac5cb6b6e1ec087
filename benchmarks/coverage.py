"""How often do the 95 % intervals of the evaluation hold the truth, when slices of one patient are alike?

    python benchmarks/coverage.py [--trials 500]

Simulated patients, 15 slices each, 60 without hemorrhage; the slices of a patient share 40 % of the variance of their
scores. Prints a Markdown table for docs/statistics.md. Needs scipy.
"""

import argparse

import numpy as np
from scipy.stats import norm

from ichscan.evaluate.curves import bootstrap_auc
from ichscan.evaluate.delong import area
from ichscan.evaluate.intervals import clustered_wilson, counts_by_patient, wilson

SICK = (3, 5, 8, 12, 20, 40, 100)
WELL, SLICES, ALIKE, SHIFT, BLEEDING, DRAWS = 60, 15, 0.4, 1.5, 0.4, 300
AREA, CUT = float(norm.cdf(SHIFT / np.sqrt(2))), 1.0
SENSITIVITY = float(norm.sf(CUT - SHIFT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    arguments = parser.parse_args()
    print(
        "| patients with hemorrhage | AUC | AUC, resampled | AUC, DeLong on slices | sensitivity | Wilson on slices |"
    )
    print("|---|---|---|---|---|---|")
    for sick in SICK:
        held = covered(sick, arguments.trials)
        print(f"| {sick} | " + " | ".join(f"{share:.0%}" for share in held) + " |")


def covered(sick: int, trials: int) -> np.ndarray:
    """Shares of the intervals that hold the truth, by the order of the table's columns."""
    rng = np.random.default_rng(sick)
    held = []
    patients = np.repeat(np.arange(sick + WELL), SLICES)
    for trial in range(trials):
        labels = ((patients < sick) & (rng.random(len(patients)) < BLEEDING)).astype(np.uint8)
        shared = np.sqrt(ALIKE) * rng.normal(size=sick + WELL)[patients]
        scores = shared + np.sqrt(1 - ALIKE) * rng.normal(size=len(patients)) + SHIFT * labels
        by_patient, rows = area(scores, labels, patients), area(scores, labels)
        drawn = bootstrap_auc(scores, labels, patients, DRAWS, trial)
        counts = counts_by_patient(scores >= CUT, labels, patients)
        found, positives = counts[:, 0], counts[:, 0] + counts[:, 3]
        rate, plain = clustered_wilson(found, positives), wilson(int(found.sum()), int(positives.sum()))
        intervals = ((by_patient.low, by_patient.high), drawn, (rows.low, rows.high))
        held.append(
            [low <= AREA <= high for low, high in intervals]
            + [low <= SENSITIVITY <= high for low, high in (rate, plain)]
        )
    return np.mean(held, axis=0)


if __name__ == "__main__":
    main()
