"""RSNA 2019 (stage 2) as Kaggle gives it: the zip archive itself, or the folder made of it.

Flanders et al., Radiology: Artificial Intelligence 2020, 2 (3), e190211. Every image is a loose DICOM file in one
folder of hundreds of thousands; patient, study and series are in the headers.
"""

import io
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.bigzip import Entry, EntrySource, entries
from ichscan.datasets.collection import Batch, Labelled, Plan, Problem, SliceRead
from ichscan.datasets.fingerprint import file_digest, listing
from ichscan.datasets.loose import read_loose
from ichscan.datasets.rsna_labels import LongLabels, read_ids, read_long
from ichscan.datasets.schema import UNKNOWN
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.dicom.source import FileSource, Source
from ichscan.errors import DataError
from ichscan.labels import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

PARTS: Final = {"stage_2_train": "train", "stage_2_test": "test"}
TRAIN_LABELS: Final = "stage_2_train.csv"
SAMPLE: Final = "stage_2_sample_submission.csv"

Item = tuple[str, str, Entry | int]
"""Part, path inside of the source, and the archive's entry or the size of the file."""


@dataclass(frozen=True)
class Rsna:
    """The archive or the folder.

    Attributes:
        limit: takes only the first images of each part.
        per_batch: slices per batch: some 45 MB in the store and a second of work, the most that a kill loses.
    """

    source: Path
    kind: str = "rsna-2019"
    limit: int | None = None
    per_batch: int = 256

    def __getstate__(self) -> dict[str, Any]:
        # Workers need to know where, not what: the list of files stays here.
        return {name: getattr(self, name) for name in ("source", "kind", "limit", "per_batch")}

    def _files(self) -> Iterator[Item]:
        """All images and label files, listed anew: nearly a million of them are never held at once."""
        counts = dict.fromkeys(PARTS.values(), 0)
        found = _in_archive(self.source) if self.source.is_file() else _in_folder(self.source)
        for path, where in found:
            name = PurePosixPath(path)
            part = PARTS.get(name.parent.name)
            if part is not None and name.suffix.lower() == ".dcm":
                counts[part] += 1
                if self.limit is None or counts[part] <= self.limit:
                    yield part, path, where
            elif name.name in (TRAIN_LABELS, SAMPLE):
                yield "", path, where

    def _images(self) -> Iterator[Item]:
        return (item for item in self._files() if item[0])

    @cached_property
    def _tables(self) -> dict[str, Item]:
        """The label files by name."""
        return {PurePosixPath(item[1]).name: item for item in self._files() if not item[0]}

    def plan(self) -> Plan:
        """Lists the images; raises DataError when there are none, or no labels for those of the training part."""
        facts = listing((path, _size(where)) for _, path, where in self._images())
        count = int(facts["files"])
        if not count:
            raise DataError(
                f"{self.source}: expected stage_2_train/ID_<image>.dcm and stage_2_test/ (Kaggle's zip or the folder "
                "unpacked from it), found no such image"
            )
        if TRAIN_LABELS not in self._tables and any(part == "train" for part, _, _ in self._images()):
            raise DataError(f"{self.source}: expected {TRAIN_LABELS} beside the images, found none; download it too")
        facts |= {name: self._digest(item) for name, item in self._tables.items()}
        problems = self._labels.problems if self._labels is not None else ()
        batches = _batches(self._images(), self.per_batch)
        return Plan(batches, -(-count // self.per_batch), count, facts, problems)

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        """The slices of one batch; the file name is the name that the labels use."""
        with quiet_pydicom():
            for part, path, where in batch.items:
                for one in read_loose(_source(self.source, path, where), path, public=True):
                    if isinstance(one, SliceRead):
                        yield from _named(one, part, PurePosixPath(path).stem)
                    else:
                        yield one

    def label(self, table: "pa.Table") -> Labelled:
        """Joins the labels; reports images without and labels without image."""
        problems: list[Problem] = []
        train = np.array([part == "train" for part in table["part"].to_pylist()], bool)
        labels = np.full((len(table), len(LABELS)), UNKNOWN, np.uint8)
        listed = self._labels
        if listed is not None:
            labels[train], known = listed.of(table["slice_id"].filter(train))
            names = table["slice_id"].filter(train).filter(~known).to_pylist()
            problems += [Problem("unlabelled_image", n, f"no line in {TRAIN_LABELS}") for n in names]
            problems += self._orphans(listed, table)
        problems += _in_both(table, train)
        problems += self._sample(table, ~train)
        return Labelled(labels, None, problems)

    @cached_property
    def _labels(self) -> LongLabels | None:
        """Read before the images: what is wrong with the file is said before hours of work, not after."""
        item = self._tables.get(TRAIN_LABELS)
        if item is None:
            return None
        with closing(self._open(item)) as stream:
            return read_long(stream, TRAIN_LABELS)

    def _digest(self, item: Item) -> str:
        _, path, where = item
        return file_digest(self.source / path) if isinstance(where, int) else f"{where.size}-{where.crc:08x}"

    def _open(self, item: Item) -> IO[bytes]:
        _, path, where = item
        return io.BytesIO(_source(self.source, path, where).read())

    def _orphans(self, listed: LongLabels, table: "pa.Table") -> list[Problem]:
        if self.limit is not None:
            return []
        return [
            Problem("orphan_label", name, f"labels in {TRAIN_LABELS}, but no such image was read")
            for name in _absent(listed.images, table["slice_id"])
        ]

    def _sample(self, table: "pa.Table", test: NDArray[np.bool_]) -> list[Problem]:
        if SAMPLE not in self._tables:
            return (
                [Problem("no_sample_submission", SAMPLE, "not there: the test images cannot be checked")]
                if test.any()
                else []
            )
        with closing(self._open(self._tables[SAMPLE])) as stream:
            wanted = read_ids(stream, SAMPLE)
        present = table["slice_id"].filter(test)
        problems = [Problem("extra_test_image", name, f"not in {SAMPLE}") for name in _absent(present, wanted)]
        if self.limit is None:
            problems += [
                Problem("missing_test_image", name, f"in {SAMPLE}, but no such image was read")
                for name in _absent(wanted, present)
            ]
        return problems


def _in_both(table: "pa.Table", train: NDArray[np.bool_]) -> list[Problem]:
    """Patients with images in the training and in the test part: the test part is then no test."""
    patients = table["patient_id"]
    both = set(patients.filter(train).unique().to_pylist()) & set(patients.filter(~train).unique().to_pylist())
    return [Problem("patient_in_both_parts", name, "has training and test images") for name in sorted(both)]


def _absent(names: Any, among: Any) -> list[str]:
    import pyarrow.compute as pc

    found: list[str] = names.filter(pc.invert(pc.is_in(names, value_set=among))).to_pylist()
    return found


def _in_archive(path: Path) -> Iterator[tuple[str, Entry | int]]:
    return ((entry.name, entry) for entry in entries(path))


def _in_folder(root: Path) -> Iterator[tuple[str, Entry | int]]:
    """Files of the folder and of the two folders of images, sorted: paths with `/`, sizes in bytes."""
    if not root.is_dir():
        raise DataError(f"{root}: expected Kaggle's zip archive or the folder unpacked from it, found neither")
    for folder in (root, *(root / name for name in PARTS)):
        if folder.is_dir():
            with os.scandir(folder) as found:
                files = sorted((e.name, e.stat().st_size) for e in found if e.is_file())
            for name, size in files:
                yield (folder / name).relative_to(root).as_posix(), size


def _size(where: Entry | int) -> int:
    return where if isinstance(where, int) else where.size


def _source(source: Path, path: str, where: Entry | int) -> Source:
    return FileSource(source / path, where) if isinstance(where, int) else EntrySource(source, where)


def _batches(images: Iterator[Item], size: int) -> Iterator[Batch]:
    while items := tuple(islice(images, size)):
        yield Batch(items, len(items))


def _named(one: SliceRead, part: str, name: str) -> Iterator[SliceRead | Problem]:
    if one.row["instance_uid"] != name:
        yield Problem("uid_mismatch", name, "SOP Instance UID (0008,0018) differs from the file name, which is used")
    one.row.update(slice_id=name, part=part)
    yield one
