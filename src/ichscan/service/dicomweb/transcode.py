"""Whole files in the transfer syntax that is asked for: as stored, or Explicit VR Little Endian."""

import io
from collections.abc import Collection, Iterable
from typing import Final

import pydicom
from pydicom.uid import UID

from ichscan.dicom.fragments import BIG_ENDIAN, NATIVE
from ichscan.dicom.header import PARSE_ERRORS
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.errors import InputError, UnreadableFileError
from ichscan.service.dicomweb.frames import EXPLICIT_LITTLE, can_be_plain, frame_size, plain_frame
from ichscan.service.dicomweb.held import Held
from ichscan.service.dicomweb.opened import open_held, read_range

AS_STORED: Final = "*"
MOST: Final = 256 << 20
"""Bytes of a file that is converted, before and after: that takes place in memory."""


def syntax_for(held: Held, accepted: Collection[str]) -> str | None:
    """The transfer syntax that a caller gets.

    Args:
        held: an instance.
        accepted: UIDs, `AS_STORED` for any.

    Returns:
        None when it takes none that can be had.
    """
    if AS_STORED in accepted or held.transfer_syntax in accepted:
        return held.transfer_syntax
    if EXPLICIT_LITTLE not in accepted or held.transfer_syntax == BIG_ENDIAN or held.size > MOST:
        return None
    try:
        opened = open_held(held)
    except InputError:
        return None  # it cannot be converted; as stored, it can still be had
    if not opened.has_pixels:
        return EXPLICIT_LITTLE
    fits = frame_size(opened) * opened.slice.pixels.frames <= MOST
    return EXPLICIT_LITTLE if can_be_plain(opened) and fits else None


def file_in(held: Held, syntax: str) -> Iterable[bytes]:
    """The file in a transfer syntax of `syntax_for`, in pieces.

    Raises:
        InputError: it cannot be converted after all.
    """
    return read_range(held) if syntax == held.transfer_syntax else _explicit(held)


def _explicit(held: Held) -> list[bytes]:
    opened = open_held(held)
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(held.path)
            if held.transfer_syntax not in NATIVE and opened.has_pixels:
                count = opened.slice.pixels.frames
                pixels = b"".join(plain_frame(opened, number) for number in range(1, count + 1))
                dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
                dataset["PixelData"].VR = "OW" if opened.slice.pixels.bits_allocated > 8 else "OB"
                dataset["PixelData"].is_undefined_length = False
                for table in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
                    dataset.pop(table, None)
            dataset.file_meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE)
            buffer = io.BytesIO()
            dataset.save_as(buffer, implicit_vr=False, little_endian=True, enforce_file_format=True)
    except (*PARSE_ERRORS, OSError) as error:
        raise UnreadableFileError("the file that is held cannot be converted; ask for it as it is stored") from error
    return [buffer.getvalue()]
