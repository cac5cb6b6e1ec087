"""Parts of the data, such as train and test: which slices are in one, and which parts the evaluated slices are in."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.store import SliceStore
from ichscan.errors import UsageError
from ichscan.evaluate.cases import UNKNOWN, Evaluation
from ichscan.evaluate.sources.table import named, read_columns
from ichscan.evaluate.thresholds import is_test
from ichscan.evaluate.truth import Truth


def counted(truth: Truth, part: str, store: SliceStore | None, labels: Path | None) -> NDArray[np.bool_] | None:
    """The slices of a part, bool (slices,); None = all, where no part is named.

    Args:
        truth: of all slices.
        part: name of the part; "" = none.
        store: the images, whose column part counts.
        labels: table of labels, whose column part counts where there is no store.

    Raises:
        UsageError: no slice is in this part.
    """
    if not part:
        return None
    ids, parts = _parts(store, labels)
    chosen = {i for i, name in zip(ids, parts, strict=True) if name == part}
    if not chosen:
        known = ", ".join(sorted({p for p in parts if p})) or "none"
        raise UsageError(f"--part {part}: no slice of the data is in it; its parts: {known}")
    return np.isin(truth.slices, sorted(chosen))


def parts_of(evaluation: Evaluation, store: SliceStore | None, labels: Path | None) -> str:
    """The part that all labelled slices are in, for who forgot to say so; "" = none or several.

    Where a test part is among several, all of them: no threshold may be chosen there. Store and labels as in `counted`.
    """
    ids, parts = _parts(store, labels)
    if not any(parts):
        return ""
    known = (evaluation.slices.y != UNKNOWN).any(axis=1)
    known |= (evaluation.scans.y != UNKNOWN).any(axis=1)[evaluation.scan_of_slice]
    here = np.isin(np.array(ids, np.str_), evaluation.slices.ids[known]).tolist()
    found = sorted({part or "" for part, is_here in zip(parts, here, strict=True) if is_here})
    return ", ".join(p for p in found if p) if len(found) == 1 or any(is_test(p) for p in found) else ""


def _parts(store: SliceStore | None, labels: Path | None) -> tuple[list[str], list[str | None]]:
    """slice_id and part of every slice."""
    if store is not None:
        return store.table["slice_id"].to_pylist(), store.table["part"].to_pylist()
    path = labels or Path()
    table = read_columns(path)
    ids = named(table, path)[0].to_pylist()
    return ids, table["part"].to_pylist() if "part" in table.column_names else [None] * len(ids)
