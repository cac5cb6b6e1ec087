"""What was evaluated, on what, and what makes the figures doubtful: the first part of the report."""

import numpy as np

from ichscan.evaluate.cases import LEVELS, UNKNOWN, Evaluation
from ichscan.evaluate.part import Options, Part
from ichscan.labels import LABELS
from ichscan.pages.section import Cell, Grid, Section


def part(evaluation: Evaluation, options: Options) -> Part:
    """Counts per level and label, thresholds, and every warning."""
    rows: list[tuple[Cell, ...]] = []
    cuts: list[tuple[Cell, ...]] = []
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for level in LEVELS:
        cases = evaluation.level(level)
        counts[level] = {}
        for c, label in enumerate(LABELS):
            binary = cases.label(c)
            one = {
                "positive": binary.positives,
                "negative": len(binary.y) - binary.positives,
                "unknown": int(np.count_nonzero(cases.y[:, c] == UNKNOWN)),
                "not_predicted": int(np.isnan(cases.p[:, c]).sum()),
            }
            counts[level][label] = one
            rows.append((level, label, *one.values()))
        cuts.append((level, *(None if np.isnan(t) else round(float(t), 4) for t in cases.thresholds)))
    section = Section(
        "inputs",
        "What was evaluated",
        "Labels and predictions side by side, by id",
        _notes(evaluation),
        (
            Grid(
                "counts", "Labels", ("level", "label", "positive", "negative", "unknown", "not predicted"), tuple(rows)
            ),
            Grid("thresholds", "Thresholds: positive means at least this probability", ("level", *LABELS), tuple(cuts)),
        ),
    )
    return Part("inputs", {"counts": counts}, (section,))


def _notes(evaluation: Evaluation) -> tuple[str, ...]:
    source, data = evaluation.source, evaluation.data
    notes = [f"Warning: {text}" for text in data["warnings"]]
    how = "each patient by networks that never saw the patient" if source.get("out_of_fold") else ""
    name = " ".join(str(source[key]) for key in ("name", "version") if source.get(key)) or source["path"]
    part_of = f", part {source['part']}" if source.get("part") else ""
    notes.append(f"Predictions: {source['kind']} {name}{part_of}{f', {how}' if how else ''}.")
    if data["restricted_to"]:
        notes.append(f"Only {data['restricted_to']}, count; scans and patients without such slices are left out.")
    notes.append(f"Probability of a scan: {data['scan_probability']}; of a patient: {data['patient_probability']}.")
    notes.append(f"Thresholds: {evaluation.chosen_on}.")
    if data["not_predicted"]:
        notes.append(f"Not predicted, so not estimable: {', '.join(data['not_predicted'])}.")
    for key, what in (
        ("labels_without_predictions", "slices with labels have no prediction and are left out"),
        ("predictions_without_labels", "predictions have no label and are left out"),
    ):
        if data[key]:
            named = data["missing" if key.startswith("labels") else "extra"]
            notes.append(f"{data[key]:,} {what}: {', '.join(named)}{' …' if data[key] > len(named) else ''}.")
    if data["failed"]:
        shown = "; ".join(f"{uid}: {why}" for uid, why in list(data["failed"].items())[:10])
        notes.append(f"{len(data['failed']):,} scans could not be analysed and are left out: {shown}.")
    return tuple(notes)
