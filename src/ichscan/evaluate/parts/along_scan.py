"""Probabilities along the slices of the scans that are worth looking at: missed, falsely alarmed, and some right."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.wrong import ID_SHOWN, decided, shortened_id
from ichscan.labels import ANY, LABELS
from ichscan.pages.section import Figure, Section, Track

KEY: Final = "along_scan"
TITLE: Final = "Probability along the scan"
SOURCE: Final = "Slices from inferior to superior; shaded and barred: truth"
MOST: Final[Mapping[str, int]] = {"missed": 5, "false alarm": 4, "found": 2, "rightly negative": 1}
"""Scans shown of each kind."""
ORDER: Final = (ANY, *(c for c in range(len(LABELS)) if c != ANY))


def part(evaluation: Evaluation, options: Options) -> Part:
    """At most twelve scans: the most confidently wrong ones, and the clearest right ones beside them."""
    kinds = _chosen(evaluation)
    shown = [(kind, s) for kind, scans in kinds.items() for s in scans]
    if not shown or not len(evaluation.slices):
        note = "Nothing to show: this needs predictions of slices and labels of scans."
        return Part(KEY, {"scans": []}, (Section(KEY, TITLE, SOURCE, (note,)),))
    threshold = float(evaluation.scans.thresholds[ANY])
    notes = [
        "The first curve decides. Shaded: slices with hemorrhage; bars below: slices with the type. Dashed: the "
        "threshold of slices.",
        "A scan is missed or falsely alarmed by its own probability against the threshold of scans"
        + (f", {threshold:.3g}." if not np.isnan(threshold) else ": none is known, so 0.5 stands in for it."),
    ]
    if any(len(str(evaluation.scans.ids[s])) > ID_SHOWN for _, s in shown):
        notes.append(f"Of long identifiers the last {ID_SHOWN} characters are shown.")
    figures = tuple(_figure(evaluation, kind, s, k) for k, (kind, s) in enumerate(shown))
    facts = [{"kind": kind, "scan": str(evaluation.scans.ids[s])} for kind, s in shown]
    return Part(KEY, {"scans": facts}, (Section(KEY, TITLE, SOURCE, tuple(notes), (), figures),))


def _chosen(evaluation: Evaluation) -> dict[str, list[int]]:
    """Rows of scans by kind, the clearest first."""
    found = decided(evaluation.scans)
    return {kind: [int(s) for s in found[kind][:most]] for kind, most in MOST.items()}


def _figure(evaluation: Evaluation, kind: str, scan: int, number: int) -> Figure:
    rows = np.flatnonzero(evaluation.scan_of_slice == scan)
    slices, scans = evaluation.slices, evaluation.scans
    curves = {LABELS[c]: _known(slices.p[rows, c]) for c in ORDER if not np.isnan(slices.p[rows, c]).all()}
    spans = {LABELS[c]: stretches(slices.y[rows, c] == 1) for c in ORDER}
    threshold = float(slices.thresholds[ANY])
    chart = Track(
        tuple(float(k + 1) for k in range(len(rows))), curves, {k: v for k, v in spans.items() if v and k in curves},
        "slice, 1 = lowest", "probability", None if np.isnan(threshold) else threshold,
    )  # fmt: skip
    positive = int((slices.y[rows, ANY] == 1).sum())
    title = (
        f"{kind}: scan {shortened_id(str(scans.ids[scan]))}, probability {scans.p[scan, ANY]:.3f}, hemorrhage in "
        f"{positive} of {len(rows)} slices"
    )
    return Figure(f"{KEY}-{number}", title, chart)


def stretches(true: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """[start, end] of each run of true, with slices numbered from 1 and half a slice of room on either side."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    return tuple((float(a) + 0.5, float(b) + 0.5) for a, b in edges.reshape(-1, 2))


def _known(p: NDArray[Any]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(v) else round(float(v), 5) for v in p)
