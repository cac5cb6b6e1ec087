"""A set of features on disk: embeddings and logits of slices by one network, memory-mapped, resumable while written.

    FOLDER/
      features.json               schema "ichscan.features/1", identity, sizes: written last, so that it proves the rest
      progress.json               while unfinished: identity and number of rows done
      rows.npy                    int64 (n,), rows of the store's table
      embedding_<variant>.npy     float32 (n, width)
      logits_<variant>.npy        float32 (n, labels)

`variant` is a test-time variant, or "mean" over all of them when there is more than one.
"""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError, OutputError, UsageError
from ichscan.types import Float32

SCHEMA: Final = "ichscan.features/1"
MEAN: Final = "mean"


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features of slices.

    Attributes:
        rows: int64 (n,), rows of the store's table.
        embedding: float32 (n, width), memory-mapped, read-only.
        logits: float32 (n, labels), memory-mapped, read-only.
        identity: what made them: digests of store, network and rows, input contract, variants.
    """

    rows: NDArray[np.int64]
    embedding: Float32
    logits: Float32
    identity: Mapping[str, Any]


def open_features(folder: Path, variant: str = "") -> FeatureSet:
    """Opens a finished set.

    Args:
        folder: that `extract` wrote.
        variant: "none", "hflip", "transpose" or "mean"; "" = the mean, or the only one.

    Raises DataError when the set is unfinished, damaged or has no such variant.
    """
    path = folder / "features.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: expected a finished set of features ({error}); extract it, the same command continues"
        ) from error
    if facts.get("schema") != SCHEMA:
        raise DataError(f"{path}: expected schema {SCHEMA}, found {facts.get('schema')}; extract the features again")
    names = stored_variants(facts["identity"]["variants"])
    chosen = variant or names[-1]
    if chosen not in names:
        raise DataError(f"{path}: expected variant {chosen!r}, found {names}; extract the features with that variant")
    rows: NDArray[np.int64] = _mapped(folder / "rows.npy", (facts["slices"],))
    embedding: Float32 = _mapped(folder / f"embedding_{chosen}.npy", (facts["slices"], facts["width"]))
    logits: Float32 = _mapped(folder / f"logits_{chosen}.npy", (facts["slices"], facts["labels"]))
    return FeatureSet(rows, embedding, logits, facts["identity"])


def stored_variants(variants: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Names of the arrays kept for these test-time variants."""
    return (*variants, MEAN) if len(variants) > 1 else tuple(variants)


def _mapped(path: Path, shape: tuple[int, ...]) -> Any:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); delete the folder and extract the features again"
        ) from error
    if array.shape != shape:
        raise DataError(f"{path}: expected shape {shape}, found {array.shape}; extract the features again")
    return array


class FeatureWriter:
    """Writes a set in order of rows and continues where a killed writer stopped.

    Args:
        folder: of the set; belongs to one identity.
        rows: int64 (n,), rows of the store's table.
        width, labels: sizes of the arrays.
        identity: JSON values that tell this set from any other; must hold "variants".

    Attributes:
        done: rows written without a gap from the first on: where a killed writer continues.
        written: rows written, those beyond a gap as well.

    Raises UsageError when the folder holds another set, OutputError when the disk is full or not writable.
    """

    def __init__(
        self, folder: Path, rows: NDArray[np.int64], width: int, labels: int, identity: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self.facts = {
            "schema": SCHEMA, "slices": len(rows), "width": width, "labels": labels,
            "identity": json.loads(json.dumps(identity)),
        }  # fmt: skip
        self.names = [
            (kind, v) for v in stored_variants(self.facts["identity"]["variants"]) for kind in ("embedding", "logits")
        ]
        self.done = 0
        self._beyond: dict[int, int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not self._continue():
                self._create(rows)
        except OSError as error:
            raise _full(folder, error) from error
        self.written = self.done

    @property
    def finished(self) -> bool:
        """True when nothing is left to write."""
        return (self.folder / "features.json").exists()

    def _continue(self) -> bool:
        for name in ("features.json", "progress.json"):
            path = self.folder / name
            if path.exists():
                found = json.loads(path.read_text(encoding="utf-8"))
                self._compare(path, found)
                self.done = _rows_done(found)
                return True
        return False

    def _compare(self, path: Path, found: Mapping[str, Any]) -> None:
        before, now = _flat(found), _flat(self.facts)
        changed = {k: (before.get(k), v) for k, v in now.items() if before.get(k) != v}
        if changed:
            raise UsageError(
                f"{path}: this folder holds other features; differs (before, now): {changed}; use another folder"
            )

    def _create(self, rows: NDArray[np.int64]) -> None:
        with (self.folder / "rows.npy").open("wb") as file:
            np.save(file, rows.astype(np.int64), allow_pickle=False)
        for kind, variant in self.names:
            path = self.folder / f"{kind}_{variant}.npy"
            shape = (len(rows), self.facts["width" if kind == "embedding" else "labels"])
            np.lib.format.open_memmap(path, "w+", np.float32, shape).flush()
            _reserve(path)
        self._note("progress.json", {**self.facts, "done": 0})

    def write(self, start: int, arrays: Mapping[str, tuple[Float32, Float32]]) -> None:
        """Embeddings (m, width) and logits (m, labels) of each variant to rows `start`..`start + m`; in any order."""
        try:
            for variant, (embedding, logits) in arrays.items():
                _put(self.folder / f"embedding_{variant}.npy", start, embedding)
                _put(self.folder / f"logits_{variant}.npy", start, logits)
        except OSError as error:
            raise _full(self.folder, error) from error
        count = len(next(iter(arrays.values()))[0])
        self._beyond[start] = start + count
        self.written += count
        while self.done in self._beyond:
            self.done = self._beyond.pop(self.done)

    def keep(self) -> None:
        """Makes what was written so far survive a crash."""
        try:
            for kind, variant in self.names:
                with (self.folder / f"{kind}_{variant}.npy").open("r+b") as file:
                    os.fsync(file.fileno())
            self._note("progress.json", {**self.facts, "done": self.done})
        except OSError as error:
            raise _full(self.folder, error) from error

    def finish(self) -> None:
        """Marks the set as whole."""
        if self.done != self.facts["slices"]:
            raise DataError(f"{self.folder}: expected {self.facts['slices']} slices, wrote {self.done}")
        self.keep()
        self._note("features.json", self.facts)
        (self.folder / "progress.json").unlink(missing_ok=True)

    def _note(self, name: str, facts: Mapping[str, Any]) -> None:
        part = self.folder / f"{name}.part"
        part.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        os.replace(part, self.folder / name)


def _rows_done(facts: Mapping[str, Any]) -> int:
    """Rows on disk according to features.json (all) or progress.json."""
    return int(facts.get("done", facts["slices"]))


def _reserve(path: Path) -> None:
    """Takes the file's space now: a full disk is found before the first slice is read, not after hours."""
    if not hasattr(os, "posix_fallocate"):  # not on every system
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, max(1, path.stat().st_size))
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not on every file system
                raise


def _put(path: Path, start: int, values: Float32) -> None:
    row = values.shape[1] * 4
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        file.seek(file.tell() + start * row)
        file.write(np.ascontiguousarray(values, "<f4").tobytes())


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    sizes = {k: facts.get(k) for k in ("schema", "slices", "width", "labels")}
    return {**facts.get("identity", {}), **sizes}


def _full(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{folder}: features cannot be written ({error.strerror}); free space and start the same command"
    )
