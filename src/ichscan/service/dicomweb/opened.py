"""A held file, opened: its header, and where its pixel data lies (PS3.5 section 7.1 and Annex A)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from pydicom.dataset import FileDataset

from ichscan.dicom.fragments import BIG_ENDIAN, NATIVE, UNDEFINED, read_frames
from ichscan.dicom.header import DEFLATED, instance_from, read_dataset, transfer_syntax
from ichscan.dicom.header import Instance as Slice
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.errors import InputError, PixelError
from ichscan.service.dicomweb.held import Held

CHUNK: Final = 1 << 18
FLOATS: Final = {0x7FE00008: 4, 0x7FE00009: 8}
"""Bytes per value of Float and Double Float Pixel Data."""
_LONG: Final = (b"OB", b"OW", b"OF", b"OD", b"UN")
_BROKEN: Final = "the file that is held cannot be read; it is corrupt, or of a kind that cannot be read here"


@dataclass(frozen=True, slots=True)
class Pixels:
    """The value of the pixel data: tag, offset in the file, and length in bytes; None when it is in fragments."""

    tag: int
    start: int
    length: int | None


@dataclass(frozen=True)
class Opened:
    """One file: its header, and the record `slice` that the decoders of `ichscan.dicom` work on.

    `pixels` is None without pixel data, and of a deflated file, of which nothing can be read in place.
    """

    held: Held
    dataset: FileDataset = field(repr=False)
    slice: Slice = field(repr=False)
    pixels: Pixels | None

    @property
    def syntax(self) -> str:
        """Transfer Syntax UID (0002,0010)."""
        return self.slice.pixels.transfer_syntax

    @cached_property
    def frames(self) -> list[memoryview]:
        """All frames as stored, of a file that is compressed in some way; they stay in memory with the instance.

        Raises:
            PixelError: pixel data is broken, or shorter than the header says.
        """
        one = self.slice
        if self.syntax == DEFLATED:
            one = replace(one, pixels=replace(one.pixels, columns=one.pixels.columns * one.pixels.samples))
        try:
            return read_frames(one)
        except InputError as error:
            # What the reader says names the path of the file.
            raise PixelError("the pixel data is broken, or shorter than the header says") from error

    @property
    def has_pixels(self) -> bool:
        """Whether there is pixel data; of a deflated file, whether there should be."""
        return self.pixels is not None or (self.syntax == DEFLATED and self.slice.pixels.rows > 0)


def open_held(held: Held) -> Opened:
    """Reads a header.

    Raises:
        InputError: the file cannot be read or parsed.
    """
    try:
        with quiet_pydicom():
            dataset, offset = read_dataset(held.source)
            one = instance_from(dataset, held.source, offset)
        deflated = offset is None or transfer_syntax(dataset) == DEFLATED
        return Opened(held, dataset, one, None if deflated else _pixels(held, one))
    except InputError as error:
        # What the reader says names the path of the file.
        raise InputError(_BROKEN) from error


def _pixels(held: Held, one: Slice) -> Pixels:
    order = ">" if one.pixels.transfer_syntax == BIG_ENDIAN else "<"
    with held.source.open() as stream:
        stream.seek(one.pixels.offset or 0)
        head = stream.read(12)
    if len(head) < 12:
        raise PixelError("Pixel Data (7FE0,0010) breaks off")
    group, number = struct.unpack(order + "HH", head[:4])
    explicit = head[4:6] in _LONG
    length = struct.unpack(order + "I", head[8:12] if explicit else head[4:8])[0]
    start = (one.pixels.offset or 0) + (12 if explicit else 8)
    # Undefined length is for fragments; a native element that says so is broken.
    known = None if length == UNDEFINED else min(length, held.size - start)
    if (known is None) == (one.pixels.transfer_syntax in NATIVE):
        raise PixelError("Pixel Data (7FE0,0010) is not in the form that its transfer syntax says")
    return Pixels(group << 16 | number, start, known)


def read_range(held: Held, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Bytes of the file, in pieces; fewer when it is shorter."""
    left = held.size - start if length is None else length
    with held.source.open() as stream:
        stream.seek(start)
        while left > 0 and (chunk := stream.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
