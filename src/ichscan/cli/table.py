"""One series as a table on the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ichscan.cli.terminal import printable, tail
from ichscan.labels import ANY, LABELS
from ichscan.types import Prediction, Report

if TYPE_CHECKING:
    from rich.console import Console

MOST_SUSPICIOUS: Final = 3
STYLES: Final = {"present": "[bold red]{}[/]", "uncertain": "[yellow]{}[/]", "absent": "{}"}
UID_SHOWN: Final = 24
FILE_SHOWN: Final = 48
PICTURES_SHOWN: Final = 4
"""The sheet and a few slices; thin series have hundreds."""


def show_report(console: "Console", report: Report, pictures: Sequence[Path] = ()) -> None:
    """Prints one report: findings, decision, most suspicious slices, warnings, pictures; or the reason why not."""
    from rich.markup import escape

    name = escape(printable(report.description)) or "series"
    uid = (
        f" [dim]{escape(tail(printable(report.series_instance_uid), UID_SHOWN))}[/]"
        if report.series_instance_uid
        else ""
    )
    images = f", {report.slices} images" if report.slices else ""
    console.print(f"[bold]{name}[/]{images}{uid}", highlight=False, soft_wrap=True)
    if report.prediction is None:
        reason = escape(printable(report.reason or ""))
        console.print(f"  [yellow]not analysed[/]: {reason}", highlight=False, soft_wrap=True)
    else:
        _show_prediction(console, report, report.prediction)
    for warning in report.warnings:
        console.print(f"  warning: {escape(printable(warning))}", highlight=False, soft_wrap=True)
    for picture in pictures[:PICTURES_SHOWN]:
        console.print(f"  picture: {picture}", markup=False, highlight=False, soft_wrap=True)
    if len(pictures) > PICTURES_SHOWN:
        console.print(f"  and {len(pictures) - PICTURES_SHOWN} more pictures of single slices", highlight=False)
    console.print()


def _show_prediction(console: "Console", report: Report, prediction: Prediction) -> None:
    from rich import box
    from rich.table import Table

    from ichscan.report.find import find
    from ichscan.report.wording import ENGLISH

    findings = find(report).findings
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    table.add_column("scan")
    for name in ("probability", "threshold"):
        table.add_column(name, justify="right")
    table.add_column("decision")
    for i in (ANY, *(i for i in range(len(LABELS)) if i != ANY)):
        state = findings[i].state
        label = "any hemorrhage" if i == ANY else LABELS[i]
        decision = STYLES[state].format(ENGLISH[state])
        values = (f"{prediction.scan[i]:.3f}", f"{prediction.scan_thresholds[i]:.3f}")
        table.add_row(label, *values, decision, style="bold" if i == ANY else "")
    console.print(table)
    console.print("  most suspicious slices:", highlight=False)
    for i in most_suspicious(prediction):
        where = f"slice {i + 1} at {report.positions_mm[i]:.1f} mm"
        line = f"    {prediction.slices[i, ANY]:.3f}  {where}  {tail(printable(report.files[i]), FILE_SHOWN)}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def most_suspicious(prediction: Prediction, count: int = MOST_SUSPICIOUS) -> list[int]:
    """Indices of the slices with the highest probability of any hemorrhage; the lower slice first when equal."""
    order = np.argsort(-prediction.slices[:, ANY], kind="stable")
    return [int(i) for i in order[:count]]
