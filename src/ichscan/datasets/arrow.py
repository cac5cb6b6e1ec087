"""pyarrow, imported when a data set is read or written: predicting does without it."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ichscan.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa


def arrow() -> Any:
    """The module pyarrow.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError(
            "data sets are kept in Parquet files, which needs pyarrow; pip install 'ichscan[data]'"
        ) from error
    return pyarrow


def write_parquet(table: "pa.Table", path: Path, notes: Mapping[str, str] | None = None) -> None:
    """Writes a table, whole or not at all: under another name first, then renamed.

    Args:
        table: what to write.
        path: where; an existing file is replaced.
        notes: text that travels with the file, in the metadata of its schema.

    Raises:
        OSError: the disk is full or not writable.
    """
    pa = arrow()
    import pyarrow.parquet as pq

    if notes is not None:
        table = table.replace_schema_metadata(dict(notes))
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    write_whole(path, memoryview(buffer.getvalue()))


def read_parquet(path: Path) -> "pa.Table":
    """Reads a table.

    Raises:
        DataError: absent, or not a Parquet file.
    """
    pa = arrow()
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read()
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a table of the store, found no file; import the data again") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read as a Parquet table ({error}); import the data again") from error


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Writes a file that appears under its name only when it is complete and on the disk.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")  # several machines may write into a folder
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
