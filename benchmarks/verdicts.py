"""How often each verdict is right, out of fold: `python -m benchmarks.verdicts`.

Counts the patients of `docs/results/default` by what a report on them would say, with the packaged model's thresholds,
which were chosen on the same patients.
"""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

from ichscan.labels import ANY, LABELS
from ichscan.report.find import state_of
from ichscan.report.findings import ABSENT, PRESENT, UNCERTAIN

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "default"


def main() -> None:
    spec = json.loads((ROOT / "src" / "ichscan" / "models" / "default" / "spec.json").read_text(encoding="utf-8"))
    of_slice, of_scan = (spec["thresholds"][level]["value"] for level in ("slice", "scan"))
    flagged: dict[str, set[str]] = defaultdict(set)
    for row in _rows("predictions.csv"):
        flagged[row["patient"]] |= {
            label for i, label in enumerate(LABELS) if float(row[label]) >= of_slice[i]
        }  # fmt: skip
    found: Counter[tuple[str, str]] = Counter()
    for row in _rows("predictions_scans.csv"):
        states = [
            state_of(float(row[label]), of_scan[i], label in flagged[row["patient"]]) for i, label in enumerate(LABELS)
        ]
        doubt = UNCERTAIN if any(state != ABSENT for state in states) else ABSENT
        found[row["true_any"], states[ANY] if states[ANY] != ABSENT else doubt] += 1
    print("| verdict | patients with hemorrhage | without |\n|---|---|---|")
    for verdict in (PRESENT, UNCERTAIN, ABSENT):
        print(f"| {verdict} | {found['1', verdict]} | {found['0', verdict]} |")


def _rows(name: str) -> list[dict[str, str]]:
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
