"""Submissions to the RSNA 2019 challenge: one CSV row `ID_<image>_<type>,Label` per slice and label.

The layout is that of the challenge's sample submission (Flanders et al. 2020, doi 10.1148/ryai.2020190211): its rows,
in its order, each with a probability, clipped as the challenge's score clips it.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError
from ichscan.evaluate.metrics import CLIP
from ichscan.labels import LABELS

HEADER: Final = ("ID", "Label")
NAMED: Final = 5
"""So many of the missing or extra ids are named in a message."""


@dataclass(frozen=True, slots=True)
class Submission:
    """The rows of a submission.

    Attributes:
        ids: `<slice id>_<label>`, unique, in the order of the file.
        probabilities: float64 (len(ids),) in [0, 1].
    """

    ids: tuple[str, ...]
    probabilities: NDArray[np.float64]


def read_submission(path: Path) -> Submission:
    """Reads a submission, or the challenge's sample of one.

    Raises:
        DataError: unreadable, other columns, an id that is listed twice or ends in no label, a value outside [0, 1].
    """
    ids: list[str] = []
    values: list[float] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if tuple(header) != HEADER:
                raise DataError(f"{path}: expected the columns {','.join(HEADER)}, found {','.join(header)[:80]!r}")
            for row in rows:
                if row:
                    ids.append(row[0])
                    values.append(_value(row, path, rows.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a submission CSV ({error})") from error
    _check_ids(ids, path)
    return Submission(tuple(ids), np.array(values, np.float64))


def build_submission(
    slice_ids: Sequence[str], probabilities: NDArray[np.floating], sample_ids: Sequence[str]
) -> Submission:
    """Arranges predictions as the sample submission wants them.

    Args:
        slice_ids: n slice ids (`ID_<image>`), unique.
        probabilities: float (n, 6) in [0, 1], columns in the order of `ichscan.labels.LABELS`.
        sample_ids: ids of the sample submission; the result has exactly these, in this order.

    Returns:
        Probabilities clipped to [1e-5, 1 - 1e-5].

    Raises:
        DataError: predictions missing, for slices that the sample does not ask for, repeated, or no probabilities.
    """
    values = np.asarray(probabilities, np.float64)
    if values.shape != (len(slice_ids), len(LABELS)):
        expected = (len(slice_ids), len(LABELS))
        raise DataError(f"predictions: expected an array of {expected} (slices, labels), found {values.shape}")
    broken = ~((values >= 0) & (values <= 1)).all(axis=1)  # NaN is neither
    if broken.any():
        named = _named(slice_ids[i] for i in np.flatnonzero(broken).tolist())
        raise DataError(f"predictions of {int(broken.sum())} slices are outside [0, 1] or not numbers: {named}")
    rows = {slice_id: i for i, slice_id in enumerate(slice_ids)}
    if len(rows) != len(slice_ids):
        raise DataError(
            f"{len(slice_ids) - len(rows)} of {len(slice_ids)} slice ids are repeated; keep one row of each"
        )
    parts = [sample_id.rpartition("_") for sample_id in sample_ids]
    _check_same_slices(rows, [slice_id for slice_id, _, _ in parts])
    columns = {label: c for c, label in enumerate(LABELS)}
    picked = values[[rows[s] for s, _, _ in parts], [columns[label] for _, _, label in parts]]
    return Submission(tuple(sample_ids), np.clip(picked, CLIP, 1 - CLIP))


def submission_csv(submission: Submission) -> str:
    """The file's text: header and rows, each ended by a line feed; nine digits, so that float32 survives."""
    pairs = zip(submission.ids, submission.probabilities.tolist(), strict=True)
    return "\n".join([",".join(HEADER), *(f"{row_id},{p:.9g}" for row_id, p in pairs), ""])


def _check_same_slices(predicted: dict[str, int], wanted: list[str]) -> None:
    asked = dict.fromkeys(wanted)
    missing = [s for s in asked if s not in predicted]
    extra = [s for s in predicted if s not in asked]
    if missing or extra:
        found = [
            f"{len(ids)} {what}: {_named(ids)}"
            for ids, what in ((missing, "slices of the sample have no prediction"), (extra, "are not in the sample"))
            if ids
        ]
        raise DataError(
            f"expected predictions for exactly the {len(asked)} slices of the sample submission; {'; '.join(found)}. "
            "Predict the challenge's test part of the same stage"
        )


def _check_ids(ids: list[str], path: Path) -> None:
    wrong = [i for i in ids if i.rpartition("_")[2] not in LABELS or not i.rpartition("_")[0]]
    if wrong:
        raise DataError(f"{path}: expected ids <slice>_<label> with a label of {LABELS}, found {_named(wrong)}")
    seen: set[str] = set()
    twice = [i for i in ids if i in seen or seen.add(i)]  # type: ignore[func-returns-value]
    if twice:
        raise DataError(f"{path}: {len(twice)} ids are listed again: {_named(twice)}; keep one row of each")


def _value(row: list[str], path: Path, line: int) -> float:
    try:
        value = float(row[1])
    except (IndexError, ValueError):
        value = float("nan")
    if not 0 <= value <= 1:
        found = row[1] if len(row) > 1 else "no value"
        raise DataError(f"{path}: line {line}: expected a probability in [0, 1], found {found!r}")
    return value


def _named(ids: Iterable[str]) -> str:
    every = list(ids)
    return ", ".join(every[:NAMED]) + (f" … ({len(every)} in all)" if len(every) > NAMED else "")
