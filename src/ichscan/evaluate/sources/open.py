"""From what a person names to predictions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ichscan.datasets.store import SliceStore
from ichscan.errors import UsageError
from ichscan.evaluate.sources.bundle import Bar, open_bundle
from ichscan.evaluate.sources.predicted import Predicted, Rows
from ichscan.evaluate.sources.run_folder import METRICS, is_run, open_out_of_fold, open_run
from ichscan.evaluate.sources.table import SUFFIXES, folds, named, probabilities, read_columns, true_labels
from ichscan.evaluate.truth import Truth
from ichscan.model.bundle import packaged_models
from ichscan.model.spec import SPEC_FILE

EXPECTED: Final = (
    "expected a bundle (folder with spec.json, or the name of a packaged model), a finished run of `ichscan train`, or "
    "a table .parquet or .csv"
)


def open_source(
    source: str, truth: Truth, store: SliceStore | None, out: Path, *, part: str = "", scans: Path | None = None,
    bar: Bar = lambda *_: None,
) -> Predicted:  # fmt: skip
    """Predictions of a bundle, a run or a table.

    Args:
        source: name of a packaged model, or path.
        truth: labels of the data, already restricted to `part` where the data knows parts.
        store: the images; None when there are labels alone.
        out: folder for the predictions of a bundle.
        part: of a run.
        scans: table of predictions of scans, beside a table of slices.
        bar: told the progress of a bundle.

    Raises:
        UsageError: no such source, or options that do not suit it.
        BundleError, DataError, OutputError: see the kinds of sources.
    """
    path = Path(source)
    is_table = path.suffix.lower() in SUFFIXES and not path.is_dir()
    if scans is not None and not is_table:
        raise UsageError("--scans: only beside a table of slices; bundles and runs have their own predictions of scans")
    if is_table:
        return open_table(path, scans)
    if (path / SPEC_FILE).is_file() or source in packaged_models():
        if store is None:
            raise UsageError(f"{source}: a bundle needs images; give a store with --data")
        return open_bundle(path, store, out, bar, _series_of(truth, store))
    if is_run(path):
        return open_run(path, part, truth)
    raise UsageError(f"{source}: {EXPECTED}, found {'something else' if path.exists() else 'nothing there'}")


def open_table(path: Path, scans: Path | None) -> Predicted:
    """Predictions of slices, and of scans from a second table.

    A table of the default recipe finds its thresholds in metrics.json beside it.
    """
    columns = read_columns(path)
    ids, by_place = named(columns, path)
    if by_place and scans is None:
        beside = path.with_name(f"{path.stem}_scans.csv")
        return open_out_of_fold(path, beside, path.with_name(METRICS), path.with_name("bundle"))
    p = probabilities(columns, path)
    y = true_labels(columns.select([n for n in columns.column_names if n.startswith("true_")]), path)
    slices = Rows(ids, p, folds(columns, path), y)
    own = None
    if scans is not None:
        table = read_columns(scans)
        own = Rows(named(table, scans, "series_uid")[0], probabilities(table, scans), folds(table, scans))
    about = {"kind": "table", "path": path.name, "name": path.stem, "out_of_fold": bool((slices.fold >= 0).all())}
    return Predicted(slices, own, about, by_place=by_place)


def _series_of(truth: Truth, store: SliceStore) -> Sequence[int] | None:
    """Numbers of the series of a store that are in a part of it."""
    if len(truth.scans) == len(store.series()):
        return None
    wanted = set(truth.scans.tolist())
    return [i for i, series in enumerate(store.series()) if series.series_uid in wanted]
