"""Stage outcome: thresholds from validation, figures for validation and test, tables and drawings.

RUN/
  metrics.json   everything; `thresholds`, then part -> level -> label -> figure
  results.csv    the same as a table
  figures/       ROC, F1 over threshold (P1 figure 4), confusion matrices (P1 figures 5 and 8), see also `looks`
"""

from pathlib import Path
from typing import Any

import numpy as np

from ichscan.errors import DataError
from ichscan.evaluate.thresholds import mean_f1_threshold
from ichscan.train.experiment.drawings import draw_outcome
from ichscan.train.experiment.levels import Level, judged, scan_level_by_head, scan_level_by_slices, slice_level
from ichscan.train.experiment.looks import draw_looks
from ichscan.train.experiment.manifest import write_json
from ichscan.train.experiment.measures import choose_thresholds, measure
from ichscan.train.experiment.prediction_table import SCAN, SLICE, read_predictions
from ichscan.train.experiment.results_table import write_results
from ichscan.train.experiment.stages import STAGES, Experiment
from ichscan.types import Float64

Levels = dict[str, Level]


def read_levels(experiment: Experiment, name: str) -> Levels:
    """The levels "slices" and "scans" of one file of predictions; a level without anything to judge is absent."""
    recipe, store = experiment.recipe, experiment.store
    data = judged(recipe)
    folder = experiment.folder / "predictions"
    table = read_predictions(folder / f"{name}.parquet", SLICE, data.labels)
    slices = slice_level(store, table, data)
    if recipe.outcome.scan == "head" and not recipe.ensemble.detector:
        own = read_predictions(folder / f"{name}_scans.parquet", SCAN, data.labels)
        scans = scan_level_by_head(store, own, slices, data)
    else:
        scans = scan_level_by_slices(store, table, slices, data)
    return {key: level for key, level in (("slices", slices), ("scans", scans)) if len(level)}


def measure_outcome(experiment: Experiment) -> None:
    """Writes what came out.

    Raises:
        DataError: nothing was validated that has a label.
    """
    recipe = experiment.recipe
    validation = read_levels(experiment, "validation")
    if not validation:
        raise DataError(f"{experiment.folder}: no validation patient has a known label; make the split again")
    cuts = thresholds(experiment, validation)
    report: dict[str, Any] = {
        "recipe": recipe.name,
        "labels": list(judged(recipe).labels),
        "thresholds": {
            "rule": recipe.outcome.threshold,
            "chosen_on": "validation predictions, each patient by networks that never saw the patient",
            **{level: [float(t) for t in found] for level, found in cuts.items()},
        },
        "validation": _measure(experiment, validation, cuts, recipe.outcome.threshold),
        "mean_f1": {level: _mean_f1(found) for level, found in validation.items()},
    }
    tested: dict[str, Levels] = {}
    for path in sorted((experiment.folder / "predictions").glob("test*.parquet")):
        if not path.stem.endswith("_scans"):
            tested[path.stem] = read_levels(experiment, path.stem)
            report[path.stem] = _measure(
                experiment, tested[path.stem], _cuts_of(experiment, path, validation, cuts), ""
            )
    write_results(experiment.folder / "results.csv", report)
    draw_outcome(experiment.folder / "figures", validation, tested.get("test", {}), cuts)
    looked = tested.get("test", {}).get("slices")
    if looked is not None or "slices" in validation:
        draw_looks(experiment, validation["slices"] if looked is None else looked, test=looked is not None)
    write_json(experiment.folder / STAGES["outcome"], report)
    experiment.progress(summary(report))


def thresholds(experiment: Experiment, validation: Levels) -> dict[str, Float64]:
    """Per level one threshold per label.

    A scan that is judged by its most suspicious slice has the threshold of the slices.
    """
    rule = experiment.recipe.outcome.threshold
    cuts = {name: choose_thresholds(level, rule) for name, level in validation.items()}
    if experiment.recipe.outcome.scan == "max" and {"slices", "scans"} <= set(cuts):
        cuts["scans"] = cuts["slices"]
    return cuts


def _cuts_of(experiment: Experiment, path: Path, validation: Levels, cuts: dict[str, Float64]) -> dict[str, Float64]:
    """A single fold decides by the threshold of its own validation patients, the vote by that of all (P1 II-B-4)."""
    if not path.stem.startswith("test_fold_"):
        return cuts
    fold = int(path.stem.removeprefix("test_fold_"))
    own = {name: _fold_of(level, fold) for name, level in validation.items()}
    return thresholds(experiment, {name: level for name, level in own.items() if len(level)})


def _fold_of(level: Level, fold: int) -> Level:
    here = level.folds == fold
    return Level(level.labels, level.p[here], level.y[here], level.patients[here], level.folds[here], level.ids[here])


def _measure(experiment: Experiment, levels: Levels, cuts: dict[str, Float64], rule: str) -> dict[str, Any]:
    config = experiment.recipe.outcome
    return {
        name: measure(
            level, cuts.get(name, np.full(len(level.labels), 0.5)), config.bootstrap, rule, config.exact_match
        )
        for name, level in levels.items()
    }


def _mean_f1(level: Level) -> dict[str, float | None]:
    """Per label the maximum of the F1 curve averaged over the folds: what P1's grid search compares."""
    found = {}
    for c, label in enumerate(level.labels):
        known = level.y[:, c] <= 1
        best = mean_f1_threshold(level.p[known, c], level.y[known, c], level.folds[known])[1]
        found[label] = None if np.isnan(best) else best
    return found


def summary(report: dict[str, Any]) -> str:
    """One line for people."""
    parts = []
    for part in ("validation", "test"):
        for level, figures in report.get(part, {}).items():
            label = "any" if "any" in figures else report["labels"][0]
            one = figures[label]
            if one["auc"] is not None:
                parts.append(f"{part} {level} {label}: AUC {one['auc']:.3f}, F1 {one['f1'] or 0:.3f} (n = {one['n']})")
    return "; ".join(parts) or "nothing could be measured: one class only"
