"""What the import asks of a labelled collection: a plan, slices by batch, labels at the end."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ichscan.types import Int16

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Problem:
    """Something odd or refused; a line of problems.csv.

    Attributes:
        kind: for example unreadable, refused, duplicate_image, duplicate_position, mixed_series, missing_slice,
            orphan_label, unlabelled_image, duplicate_label, contradicting_label.
        where: file, slice, series or line of the label file.
        detail: one sentence; no patient data.
    """

    kind: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class SliceRead:
    """One slice as read: its row (keys of `schema.PART`) and int16 (rows, cols) HU."""

    row: dict[str, Any]
    hu: Int16


@dataclass(frozen=True, slots=True)
class Batch:
    """Work for one process at a time.

    Attributes:
        items: what `Collection.read` needs; can be pickled.
        size: how many files or slices, for progress.
    """

    items: tuple[Any, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All work of an import, always in the same order for the same source.

    Attributes:
        batches: made as they are asked for.
        count: number of batches.
        size: sum of their sizes.
        fingerprint: facts of the source by name (number of files, digest of names and sizes, digest of the label
            file); another set of them under an unfinished import is refused.
        problems: found while planning.
    """

    batches: Iterable[Batch]
    count: int
    size: int
    fingerprint: Mapping[str, str]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanReads:
    """Labels of whole scans by readers.

    Attributes:
        labels: per series_uid six of 0, 1 or `schema.UNKNOWN`.
        agreement: per series_uid, share of decisions on which all readers agree.
    """

    labels: Mapping[str, tuple[int, ...]]
    agreement: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a collection says about its slices after all were read.

    Attributes:
        slices: uint8 (rows of the table, 6), `schema.UNKNOWN` where not known; None keeps what the rows say.
        scans: labels of whole scans; None takes the union of the slices.
        patients: rows of `schema.PATIENT`, where the collection tells age or sex.
        problems: of the labels.
    """

    slices: NDArray[np.uint8] | None = None
    scans: ScanReads | None = None
    problems: list[Problem] = field(default_factory=list)
    patients: list[dict[str, Any]] = field(default_factory=list)


class Collection(Protocol):
    """A source of labelled slices. Can be pickled: each worker process gets a copy."""

    @property
    def kind(self) -> str:
        """Name of the kind in the manifest: rsna-2019, ct-ich, cq500, own."""
        ...

    def plan(self) -> Plan:
        """Lists what there is, without reading pixels; DataError when nothing is there."""
        ...

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        """The slices of one batch, and what is wrong with the others. Runs in a worker process."""
        ...

    def label(self, table: "pa.Table") -> Labelled:
        """Labels for the rows of the sorted table."""
        ...
