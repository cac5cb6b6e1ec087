"""stage_2_train.csv of RSNA 2019: one line per image and label, 4.5 million of them.

The published file repeats the lines of some images. Lines that agree count once; an image with lines that disagree, or
whose `any` is not the union of its types, is unlabelled. All of it is reported, by image.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow
from ichscan.datasets.collection import Problem
from ichscan.datasets.schema import UNKNOWN
from ichscan.errors import DataError
from ichscan.labels import ANY, LABELS

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: Final = ("ID", "Label")
PATTERN: Final = r"^(?P<image>.+)_(?P<label>[^_]+)$"


@dataclass(frozen=True, slots=True)
class LongLabels:
    """Labels by image.

    Attributes:
        images: names, each once, in the order of their first line.
        labels: uint8 (images, 6), `UNKNOWN` where absent or contradicting.
    """

    images: "pa.Array"
    labels: NDArray[np.uint8]
    problems: tuple[Problem, ...]

    def of(self, names: "pa.ChunkedArray") -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Labels of the named images, uint8 (names, 6), and whether each is listed, bool (names,)."""
        import pyarrow.compute as pc

        found = pc.index_in(names, value_set=self.images)
        rows = np.asarray(found.fill_null(-1).to_numpy(), np.int64)
        labels = np.full((len(rows), len(LABELS)), UNKNOWN, np.uint8)
        labels[rows >= 0] = self.labels[rows[rows >= 0]]
        return labels, rows >= 0


def read_long(stream: IO[bytes], name: str) -> LongLabels:
    """Reads the long format, `ID_<image>_<label>,<0 or 1>`.

    Args:
        stream: of the CSV file.
        name: of the file, for messages.

    Raises:
        DataError: no such columns, or nothing in it.
    """
    images, label, value, problems = _lines(stream, name)
    encoded = arrow().chunked_array(images).combine_chunks().dictionary_encode()
    names = encoded.dictionary
    key = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64) * len(LABELS) + label
    labels, odd = _judge(key, value, len(names))
    for (kind, detail), which in odd.items():
        problems += [Problem(kind, image, detail) for image in names.take(np.flatnonzero(which)).to_pylist()]
    return LongLabels(names, labels, tuple(problems))


Odd = dict[tuple[str, str], NDArray[np.bool_]]
"""Kind and sentence of a problem -> which images have it, bool (images,)."""


def _judge(key: NDArray[np.int64], value: NDArray[np.float64], images: int) -> tuple[NDArray[np.uint8], Odd]:
    """Labels uint8 (images, 6) from lines (image * 6 + label, value), and what is wrong with which image."""

    def per_image(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(key[which], minlength=images * len(LABELS)).reshape(images, len(LABELS))

    lines, positive = per_image(np.ones(len(key), bool)), per_image(value == 1)
    bad = per_image(~np.isin(value, (0, 1))).any(axis=1)
    disagree = ((positive > 0) & (positive < lines)).any(axis=1) & ~bad
    labels = np.where(lines == 0, UNKNOWN, positive > 0).astype(np.uint8)
    whole = (lines > 0).all(axis=1)
    mismatch = whole & ~bad & ~disagree & ((labels[:, :ANY] == 1).any(axis=1) != (labels[:, ANY] == 1))
    labels[bad | disagree | mismatch] = UNKNOWN
    return labels, {
        ("duplicate_label", "lines are repeated"): (lines > 1).any(axis=1),
        ("contradicting_label", "repeated lines disagree: taken as unlabelled"): disagree,
        ("contradicting_label", "`any` is not the union of the types: taken as unlabelled"): mismatch,
        ("bad_label", "expected 0 or 1, found another value: taken as unlabelled"): bad,
        ("incomplete_label", "not all six labels are listed: the others are unknown"): ~whole,
    }


def _lines(stream: IO[bytes], name: str) -> tuple[list[Any], NDArray[np.int64], NDArray[np.float64], list[Problem]]:
    """Per valid line: image (chunks of text), label int64 (lines,), value float64 (lines,); and bad lines."""
    pa = arrow()
    import pyarrow.compute as pc

    images: list[Any] = []
    label: list[NDArray[np.int64]] = []
    value: list[NDArray[np.float64]] = []
    problems: list[Problem] = []
    for block in _blocks(stream, name):
        parts = pc.extract_regex(block["ID"], pattern=PATTERN)
        index = pc.index_in(pc.struct_field(parts, "label"), value_set=pa.array(LABELS)).fill_null(-1)
        good = np.asarray(index.to_numpy(zero_copy_only=False)) >= 0
        for odd in block["ID"].take(np.flatnonzero(~good)).to_pylist():
            problems.append(Problem("bad_label", str(odd), f"{name}: expected <image>_<label>, label one of the six"))
        kept = np.flatnonzero(good)
        images.append(pc.struct_field(parts, "image").take(kept))
        label.append(np.asarray(index.to_numpy(zero_copy_only=False), np.int64)[kept])
        value.append(_numbers(block["Label"])[kept])
    if not any(len(one) for one in label):
        raise DataError(f"{name}: expected lines such as ID_000012eaf_epidural,0; found none")
    return images, np.concatenate(label), np.concatenate(value), problems


def _numbers(texts: Any) -> NDArray[np.float64]:
    """Float64 (lines,), NaN where there is no number."""
    import pyarrow.compute as pc

    plain = pc.match_substring_regex(texts, pattern=r"^\s*-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
    numbers = pc.if_else(plain, pc.utf8_trim_whitespace(texts), None).cast("double")
    return np.array(numbers.to_numpy(zero_copy_only=False), np.float64)


def _blocks(stream: IO[bytes], name: str) -> Iterable[Any]:
    pa = arrow()
    from pyarrow import csv

    options = csv.ConvertOptions(
        include_columns=list(COLUMNS), column_types=dict.fromkeys(COLUMNS, pa.string()), strings_can_be_null=False
    )
    try:
        yield from csv.open_csv(stream, convert_options=options)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise DataError(f"{name}: expected the columns {', '.join(COLUMNS)} ({error})") from error


def read_ids(stream: IO[bytes], name: str) -> "pa.Array":
    """Names of the images of a sample submission, each once, in its order."""
    images, _, _, _ = _lines(stream, name)
    return arrow().chunked_array(images).combine_chunks().unique()
