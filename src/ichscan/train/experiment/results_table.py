"""results.csv: one row per part, level and label, for tables in papers and spreadsheets."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ichscan.datasets.arrow import write_whole

COLUMNS: Final = (
    "n", "positives", "auc", "threshold", "sensitivity", "specificity", "precision", "f1", "accuracy",
    "tp", "fp", "tn", "fn",
)  # fmt: skip
OVERALL: Final = ("mean_auc", "exact_match", "macro_f1", "weighted_log_loss")


def write_results(path: Path, report: Mapping[str, Any]) -> None:
    """Writes the figures of every part whose name begins with validation or test."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["part", "level", "label", *COLUMNS, "auc_low", "auc_high", *OVERALL])
    for part, levels in report.items():
        if part.startswith(("validation", "test")):
            for level, figures in levels.items():
                for label in report["labels"]:
                    rows.writerow(_row(part, level, label, figures))
    write_whole(path, text.getvalue().encode())


def _row(part: str, level: str, label: str, figures: Mapping[str, Any]) -> list[Any]:
    one = figures[label]
    overall = [_shown(figures.get(name)) if label == next(iter(figures)) else "" for name in OVERALL]
    return [part, level, label, *(_shown(one[c]) for c in COLUMNS), *(_shown(v) for v in one["auc_95"]), *overall]


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
