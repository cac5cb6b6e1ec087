"""Finished batches of an import, so that one that was killed goes on where it stopped.

A batch is finished when its `parts/<number>.parquet` exists: its slices were written, flushed and renamed before.
Whatever else a killed process left is removed, so that no slice is lost and none is there twice.
"""

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.datasets.arrow import arrow, read_parquet, write_parquet, write_whole
from ichscan.datasets.codec import encode
from ichscan.datasets.collection import Problem, SliceRead
from ichscan.datasets.schema import PART, table_of
from ichscan.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

PROBLEMS: Final = "ichscan.problems"
SYNC_EVERY: Final = 32
"""Slices, some 7 MB."""


class Journal:
    """The folders `parts` and `slices` of a store that is being made."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.parts = store / "parts"
        self.slices = store / "slices"

    def open(self, kind: str, fingerprint: Mapping[str, str]) -> set[int]:
        """Starts or continues an import; removes what a killed one left half-done.

        Returns:
            Numbers of the finished batches.

        Raises:
            DataError: an unfinished import of something else is in the folder.
        """
        self.parts.mkdir(parents=True, exist_ok=True)
        self.slices.mkdir(exist_ok=True)
        plan = self.parts / "plan.json"
        asked = {"kind": kind, **fingerprint}
        if plan.exists():
            compare(asked, json.loads(plan.read_text(encoding="utf-8")), self.store)
        else:
            write_whole(plan, json.dumps(asked, indent=1, sort_keys=True).encode())
        for folder in (self.parts, self.slices):
            for file in folder.glob("*.tmp"):
                file.unlink(missing_ok=True)
        done = {int(file.stem) for file in self.parts.glob("*.parquet")}
        for file in self.slices.glob("*.pack"):
            if int(file.stem) not in done:
                file.unlink()
        return done

    def commit(self, number: int, read: Iterable[SliceRead | Problem]) -> tuple[int, int]:
        """Writes one batch.

        Returns:
            Number of slices and of problems.

        Raises:
            OSError: the disk is full or not writable; the batch counts as not done.
        """
        pack = f"{number:06d}.pack"
        partial = self.slices / f"{pack}.{uuid.uuid4().hex}.tmp"
        rows: list[dict[str, Any]] = []
        problems: list[Problem] = []
        try:
            with partial.open("wb") as file, ThreadPoolExecutor(1) as disk:
                # The disk works while the next slices are read: waiting for it at the end took a fifth of the time.
                synced: list[Future[None]] = []
                for one in read:
                    if isinstance(one, Problem):
                        problems.append(one)
                        continue
                    data, crc = encode(one.hu)
                    place = {"pack": pack, "offset": file.tell(), "length": len(data), "crc32": crc}
                    rows.append({**one.row, **place})
                    file.write(data)
                    if len(rows) % SYNC_EVERY == 0:
                        file.flush()
                        synced.append(disk.submit(os.fsync, file.fileno()))
                for future in synced:
                    future.result()  # an error of the disk is told once
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.slices / pack)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        notes = {PROBLEMS: json.dumps([asdict(p) for p in problems])}
        write_parquet(table_of(rows, PART), self.parts / f"{number:06d}.parquet", notes)
        return len(rows), len(problems)

    def tables(self) -> Iterator[tuple["pa.Table", list[Problem]]]:
        """The finished batches in order."""
        for file in sorted(self.parts.glob("*.parquet")):
            table = read_parquet(file)
            notes = (table.schema.metadata or {}).get(PROBLEMS.encode(), b"[]")
            yield table.replace_schema_metadata(None), [Problem(**entry) for entry in json.loads(notes)]

    def merged(self) -> tuple["pa.Table", list[Problem]]:
        """All rows in the order of the plan, and all problems."""
        problems: list[Problem] = []
        tables = []
        for table, found in self.tables():
            tables.append(table)
            problems += found
        return arrow().concat_tables(tables), problems

    def close(self) -> None:
        """Removes the journal and what killed workers left; the store is complete by now."""
        for file in (*self.parts.glob("*"), *self.slices.glob("*.tmp")):
            file.unlink()
        self.parts.rmdir()


def compare(asked: Mapping[str, str], begun: Mapping[str, str], store: Path) -> None:
    """Refuses to continue with another source.

    Raises:
        DataError: names each fact that differs.
    """
    names = sorted({*asked, *begun})
    other = [f"{n}: was {begun.get(n)}, is {asked.get(n)}" for n in names if asked.get(n) != begun.get(n)]
    if other:
        raise DataError(
            f"{store}: holds an import of other data ({'; '.join(other)}); give the same source and labels again, or "
            "another --out folder"
        )
