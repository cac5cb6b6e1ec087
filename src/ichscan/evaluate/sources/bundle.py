"""A model bundle, run over the series of a store. What is predicted is kept, so that a killed run goes on."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ichscan.datasets.arrow import arrow, read_parquet, write_parquet, write_whole
from ichscan.datasets.store import SeriesRows, SliceStore
from ichscan.errors import DataError, InputError, OutputError, UsageError
from ichscan.evaluate.operating import origin
from ichscan.evaluate.sources.predicted import Predicted, Rows
from ichscan.evaluate.sources.trained_on import training_warning
from ichscan.labels import LABELS
from ichscan.types import Prediction, Volume

if TYPE_CHECKING:
    import pyarrow as pa

    from ichscan.model.bundle import Bundle

SERIES: Final = 8
"""Scans per file: so many are predicted again after a killed run, at most."""
Bar = Callable[[int, int, int], None]
"""Told slices done, slices in all, and those that were done before."""


def open_bundle(folder: Path, store: SliceStore, out: Path, bar: Bar, chosen: Sequence[int] | None = None) -> Predicted:
    """Predicts every series of a store, or goes on.

    Args:
        folder: of the bundle, or name of a packaged model.
        store: the images.
        out: folder for the predictions: slices.parquet and scans.parquet when all is done.
        bar: is told the progress.
        chosen: numbers of the series to predict; None = all.

    Raises:
        BundleError: the model cannot be used.
        DataError: a slice of the store cannot be read.
        UsageError: `out` holds predictions of another model or data set.
        OutputError: they cannot be written.
    """
    from ichscan.model.bundle import load_bundle

    bundle = load_bundle(folder)
    series = list(store.series()) if chosen is None else [store.series()[i] for i in chosen]
    spec, digest = bundle.spec, store.digest
    facts = {
        "model": {"name": spec.name, "version": spec.version, "sha256": bundle.identity.sha256},
        "calibration": {k: [*c.scale, *c.offset] for k, c in spec.calibration.items()},
        "data": digest,
        "series": hashlib.sha256("\n".join(s.series_uid for s in series).encode()).hexdigest(),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        _claim(out / "predictions.json", facts)
        if not (out / "scans.parquet").is_file():
            _predict_all(bundle, store, series, out, bar)
    except OSError as error:
        raise OutputError(f"{out}: predictions cannot be written ({error.strerror}); choose another folder") from error
    return _predicted(bundle, store, out)


def _claim(path: Path, facts: Mapping[str, Any]) -> None:
    """Makes the folder that of this model and data, or refuses."""
    text = json.dumps(facts, indent=1)
    if not path.exists():
        write_whole(path, text.encode())
    elif json.loads(path.read_text(encoding="utf-8")) != json.loads(text):
        raise UsageError(f"{path}: this folder holds predictions of another model or data set; use a new --out")


def _predict_all(bundle: "Bundle", store: SliceStore, series: Sequence[SeriesRows], out: Path, bar: Bar) -> None:
    parts = out / "parts"
    parts.mkdir(exist_ok=True)
    total = sum(len(s.rows) for s in series)
    done = before = 0
    groups = [series[i : i + SERIES] for i in range(0, len(series), SERIES)]
    for number, group in enumerate(groups):
        size = sum(len(s.rows) for s in group)
        if (parts / f"{number:06d}_scans.parquet").is_file():
            before += size
        else:
            _predict_group(bundle, store, group, parts / f"{number:06d}", partial(_shift, bar, done, total, before))
        done += size
        bar(done, total, before)
    pa = arrow()
    for name, ending in (("slices", ""), ("scans", "_scans")):
        tables = [read_parquet(parts / f"{number:06d}{ending}.parquet") for number in range(len(groups))]
        write_parquet(pa.concat_tables(tables), out / f"{name}.parquet")
    shutil.rmtree(parts)


def _shift(bar: Bar, done: int, total: int, before: int, more: int) -> None:
    bar(done + more, total, before)


def _more(bar: Callable[[int], None], done: int, more: int) -> None:
    bar(done + more)


def _predict_group(
    bundle: "Bundle", store: SliceStore, group: Sequence[SeriesRows], stem: Path, bar: Callable[[int], None]
) -> None:
    slices: list[dict[str, Any]] = []
    scans: list[dict[str, Any]] = []
    done = 0
    for series in group:
        found, reason = _predict(bundle, store, series, partial(_more, bar, done))
        done += len(series.rows)
        scan: dict[str, Any] = {"series_uid": series.series_uid, "reason": reason, "warnings": []}
        if found is not None:
            names = store.table["slice_id"].slice(int(series.rows[0]), len(series.rows)).to_pylist()
            slices += [_row("slice_id", name, p) for name, p in zip(names, found.slices, strict=True)]
            scan |= {**_row("series_uid", series.series_uid, found.scan), "warnings": list(found.warnings)}
        scans.append(scan)
    write_parquet(_table("slice_id", slices), stem.with_name(f"{stem.name}.parquet"))
    write_parquet(_table("series_uid", scans), stem.with_name(f"{stem.name}_scans.parquet"))


def _predict(
    bundle: "Bundle", store: SliceStore, series: SeriesRows, bar: Callable[[int], None]
) -> tuple[Prediction | None, str]:
    """The prediction of one series, or why there is none."""
    from ichscan.model.predict import predict

    try:
        return predict(volume_of(store, series), bundle, progress=bar), ""
    except InputError as error:
        return None, str(error)


def volume_of(store: SliceStore, series: SeriesRows) -> Volume:
    """One series of a store as the model takes it.

    Raises:
        DataError: a slice cannot be read, or the slices differ in size.
    """
    rows = series.rows
    table = store.table.slice(int(rows[0]), len(rows))
    images = store.hu_many(rows)
    if len({image.shape for image in images}) > 1:
        raise DataError(f"{store.path}: series {series.series_uid}: its slices differ in size; import it again")
    first = table.select(["pixel_row_mm", "pixel_col_mm"]).slice(0, 1).to_pylist()[0]
    spacing = (first["pixel_row_mm"], first["pixel_col_mm"])
    return Volume(
        hu=np.stack(images),
        positions_mm=series.positions_mm,
        spacing_mm=None if None in spacing else spacing,
        orientation=None,
        origins=None,
        sop_instance_uids=tuple(uid or "" for uid in table["instance_uid"].to_pylist()),
        files=tuple(table["slice_id"].to_pylist()),
        study_instance_uid=series.study_uid,
        series_instance_uid=series.series_uid,
    )


def _row(key: str, name: str, p: Any) -> dict[str, Any]:
    return {key: name, **{label: float(value) for label, value in zip(LABELS, p, strict=True)}}


def _table(key: str, rows: Sequence[Mapping[str, Any]]) -> "pa.Table":
    pa = arrow()
    columns: dict[str, Any] = {key: pa.array([row[key] for row in rows], pa.string())}
    columns |= {label: pa.array([row.get(label) for row in rows], pa.float64()) for label in LABELS}
    if key == "series_uid":
        columns["reason"] = pa.array([row["reason"] for row in rows], pa.string())
        columns["warnings"] = pa.array([row["warnings"] for row in rows], pa.list_(pa.string()))
    return pa.table(columns)


def _predicted(bundle: "Bundle", store: SliceStore, out: Path) -> Predicted:
    spec = bundle.spec
    levels = {}
    for name, key in (("slices", "slice_id"), ("scans", "series_uid")):
        table = read_parquet(out / f"{name}.parquet").combine_chunks()
        p = np.stack([np.asarray(table[label].to_numpy(), np.float64) for label in LABELS], axis=1)
        levels[name] = (table, Rows(table[key], p, np.full(len(table), -1, np.int64)))
    scans = levels["scans"][0]
    reasons = zip(scans["series_uid"].to_pylist(), scans["reason"].to_pylist(), strict=True)
    said: dict[str, int] = {}
    for one in scans["warnings"].to_pylist():
        for text in one:
            said[text] = said.get(text, 0) + 1
    warned = training_warning(spec, store.manifest)
    return Predicted(
        levels["slices"][1],
        levels["scans"][1],
        {"kind": "bundle", "path": bundle.folder.name, "name": spec.name, "version": spec.version,
         "sha256": bundle.identity.sha256, "out_of_fold": False},
        {"slices": np.array(spec.thresholds["slice"].value), "scans": np.array(spec.thresholds["scan"].value)},
        f"the bundle's own: slices by {spec.thresholds['slice'].rule}, scans by {spec.thresholds['scan'].rule}, "
        f"chosen on {origin(spec)}",
        failed={uid: reason for uid, reason in reasons if reason},
        warnings=(*warned, *(f"{n:,} scans: {text}" for text, n in sorted(said.items()))),
    )  # fmt: skip
