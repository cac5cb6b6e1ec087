"""One slice of HU to compressed bytes and back, without loss."""

import zlib
from typing import Final

import numpy as np

from ichscan.errors import DataError
from ichscan.types import Int16

LEVEL: Final = 1
"""zstd level 1 behind a bit shuffle: 188 KB for a 512 x 512 head; level 5 saves 1 % and takes three times as long."""


def encode(hu: Int16) -> tuple[bytes, int]:
    """Compresses int16 (rows, cols) HU to one independent Blosc2 frame (zstd, bit shuffle).

    Returns:
        The frame, and the CRC-32 of the int16 little-endian values.
    """
    import imagecodecs

    data = np.ascontiguousarray(hu, "<i2").tobytes()
    shuffle = imagecodecs.BLOSC2.FILTER.BITSHUFFLE
    frame = imagecodecs.blosc2_encode(data, level=LEVEL, compressor="zstd", shuffle=shuffle, typesize=2, numthreads=1)
    return bytes(frame), zlib.crc32(data)


def decode(data: bytes, rows: int, cols: int, name: str) -> Int16:
    """Decompresses one slice to int16 (rows, cols), HU.

    Args:
        data: from `encode`.
        rows: of the slice.
        cols: of the slice.
        name: of the slice, for the message.

    Raises:
        DataError: the bytes are damaged, or of another size.
    """
    import imagecodecs

    try:
        raw = imagecodecs.blosc2_decode(data, numthreads=1)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise DataError(f"{name}: the stored slice is damaged ({error}); run `ichscan data verify`") from error
    if len(raw) != rows * cols * 2:
        raise DataError(f"{name}: expected {rows} x {cols} pixels, found {len(raw) // 2:,}; run `ichscan data verify`")
    return np.frombuffer(raw, "<i2").reshape(rows, cols).astype(np.int16, copy=False)


def checksum(hu: Int16) -> int:
    """CRC-32 of the int16 little-endian values, as `encode` gives it."""
    return zlib.crc32(np.ascontiguousarray(hu, "<i2").tobytes())
