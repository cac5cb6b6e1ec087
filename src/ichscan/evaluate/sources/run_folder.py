"""Finished training runs: the predictions that they kept, each patient by networks that never saw the patient."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ichscan.errors import DataError, UsageError
from ichscan.evaluate.sources.predicted import NO_THRESHOLDS, Predicted, Rows, no_thresholds
from ichscan.evaluate.sources.table import folds, named, probabilities, read_columns, true_labels
from ichscan.evaluate.truth import Truth
from ichscan.labels import LABELS
from ichscan.model.spec import SPEC_FILE, load_spec
from ichscan.types import Float64

CSV: Final = "predictions.csv"
SCANS_CSV: Final = "predictions_scans.csv"
FOLDER: Final = "predictions"
METRICS: Final = "metrics.json"
MANIFEST: Final = "manifest.json"
SAME: Final = "chosen on these very predictions: on new patients expect less at them"
FIXED: Final = "half"
"""Rule of a workbench recipe that chooses nothing."""
MATCH: Final = 0.99


def is_run(path: Path) -> bool:
    """Whether a folder is a run of `ichscan train` that has predictions."""
    return (path / CSV).is_file() or (path / FOLDER).is_dir()


def open_run(path: Path, part: str, truth: Truth) -> Predicted:
    """Predictions of a run folder.

    Args:
        path: of `ichscan train`.
        part: "validation" (out of fold) or "test", or another file of RUN/predictions; "" = validation.
        truth: of the data that they are held against.

    Raises:
        DataError: unfinished, or of another data set.
        UsageError: the run has no such part.
    """
    if not (path / CSV).is_file():
        return _workbench(path, part or "validation", truth)
    if part not in ("", "validation"):
        raise UsageError(
            f"--part {part}: {path} cross-validated all its patients; there is only validation (out of fold)"
        )
    return open_out_of_fold(path / CSV, path / SCANS_CSV, path / METRICS, path / "bundle")


def open_out_of_fold(table: Path, scans: Path, metrics: Path, bundle: Path) -> Predicted:
    """Out-of-fold predictions of the default recipe.

    Args:
        table: predictions.csv: patient, fold, slice (index from inferior), six probabilities, six labels.
        scans: predictions_scans.csv: patient, fold, six probabilities; may be absent.
        metrics: metrics.json beside it, with the thresholds; may be absent.
        bundle: folder of the run's bundle; may be absent.
    """
    columns = read_columns(table)
    ids, by_place = named(columns, table)
    y = true_labels(columns.select([n for n in columns.column_names if n.startswith("true_")]), table)
    slices = Rows(ids, probabilities(columns, table), folds(columns, table), y)
    own = _scans_of(scans, "patient") if scans.is_file() else None
    about: dict[str, Any] = {"kind": "run", "path": table.parent.name, "part": "validation"}
    about["out_of_fold"] = bool((slices.fold >= 0).all())
    cuts, chosen_on = _thresholds_beside(metrics, bundle, own is not None)
    if (bundle / SPEC_FILE).is_file():
        spec = load_spec(bundle)
        about |= {"name": spec.name, "version": spec.version}
    return Predicted(slices, own, about, cuts, chosen_on, by_place)


def _scans_of(path: Path, key: str = "series_uid") -> Rows:
    table = read_columns(path)
    ids, _ = named(table, path, key)
    return Rows(ids, probabilities(table, path), folds(table, path))


def _thresholds_beside(metrics: Path, bundle: Path, own_scans: bool) -> tuple[dict[str, Float64], str]:
    """From the bundle's spec, or else from metrics.json."""
    cuts = {"slices": no_thresholds(), "scans": no_thresholds()}
    if (bundle / SPEC_FILE).is_file():
        spec = load_spec(bundle)
        for level, key in (("slices", "slice"), ("scans", "scan")):
            cuts[level] = np.array(spec.thresholds[key].value, np.float64)
        rule = spec.thresholds["slice"].rule
    elif metrics.is_file():
        found = read_json(metrics)
        for level, key in (("slices", "slice"), ("scans", "scan")):
            cuts[level] = np.array([_cut(found.get(key, {}).get(label)) for label in LABELS], np.float64)
        rule = "the run's own (metrics.json)"
    else:
        return cuts, NO_THRESHOLDS
    if not own_scans:
        cuts["scans"] = cuts["slices"]
    return cuts, f"{rule}; {SAME}"


def _workbench(path: Path, part: str, truth: Truth) -> Predicted:
    folder = path / FOLDER
    parts = sorted(p.stem for p in folder.glob("*.parquet") if not p.stem.endswith("_scans"))
    if part not in parts:
        raise UsageError(f"--part {part}: expected one of {', '.join(parts) or 'none: the run is not finished'}")
    manifest, table = read_json(path / MANIFEST), folder / f"{part}.parquet"
    recipe = manifest["recipe"]
    columns = read_columns(table)
    ids, _ = named(columns, table)
    slices = Rows(ids, probabilities(columns, table), folds(columns, table), true_labels(columns, table))
    detector = bool(recipe["ensemble"]["detector"])
    head = recipe["outcome"]["scan"] == "head" and not detector
    own = _scans_of(folder / f"{part}_scans.parquet") if head else None
    cuts, chosen_on = _workbench_thresholds(path, part)
    return Predicted(
        slices,
        own,
        {"kind": "run", "path": path.name, "name": recipe["name"], "part": part, "out_of_fold": part == "validation",
         "calibrated": False},
        cuts,
        chosen_on,
        patients=frozenset(columns["patient_id"].to_pylist()),
        only_hemorrhagic=recipe["data"]["slices"] == "hemorrhagic" and not detector,
        without=() if detector else tuple(recipe["data"]["without"]),
        warnings=_of_this_data(path, manifest["data"], slices, truth),
    )  # fmt: skip


def _workbench_thresholds(path: Path, part: str) -> tuple[dict[str, Float64], str]:
    """Those that the run itself used on this part, see `ichscan.train.experiment.outcome_stage`."""
    cuts = {"slices": no_thresholds(), "scans": no_thresholds()}
    if not (path / METRICS).is_file():
        return cuts, NO_THRESHOLDS
    found = read_json(path / METRICS)
    for level in cuts:
        measured = found.get(part, {}).get(level, {})
        cuts[level] = np.array([_cut(measured.get(label)) for label in LABELS], np.float64)
    rule = found["thresholds"]["rule"]
    if rule == FIXED:
        return cuts, "0.5, by the recipe: not chosen on any data"
    where = SAME if part == "validation" else f"chosen on {found['thresholds']['chosen_on']}"
    return cuts, f"rule {rule}; {where}"


def _cut(measured: Mapping[str, Any] | None) -> float:
    value = None if measured is None else measured.get("threshold")
    return float("nan") if value is None else float(value)


def _of_this_data(path: Path, data: Mapping[str, Any], slices: Rows, truth: Truth) -> tuple[str, ...]:
    """Says, or refuses, that the run is of another data set."""
    if data.get("digest") == truth.about.get("digest"):
        return ()
    known = np.isin(np.array(slices.ids.to_pylist(), np.str_), truth.slices).mean() if len(slices.ids) else 0.0
    if known < MATCH:
        raise DataError(
            f"{path}: the run holds predictions of another data set ({data.get('kind')}, "
            f"{str(data.get('digest'))[:16]}); its networks are not applied here. To apply them, evaluate its bundle: "
            f"ichscan evaluate {path.name}/bundle"
        )
    return ("The run was trained on these slices with other labels or pixels: the data set's digest differs.",)


def read_json(path: Path) -> Any:
    """A file of a run. Raises DataError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected a finished run of `ichscan train`") from error
