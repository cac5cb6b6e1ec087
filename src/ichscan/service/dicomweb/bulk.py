"""Bulk data: one long value of an instance (PS3.18 section 10.4.1.1.5)."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

from fastapi import HTTPException
from pydicom.dataset import Dataset

from ichscan.dicom.fragments import BIG_ENDIAN, NATIVE
from ichscan.dicom.header import PARSE_ERRORS
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.errors import InputError
from ichscan.service.dicomweb.frames import (
    MEDIA_TYPES,
    little_endian,
    stored_frame,
    stored_syntax,
)
from ichscan.service.dicomweb.media import OCTETS, with_syntax
from ichscan.service.dicomweb.opened import Opened, read_range

PATH: Final = re.compile(r"[0-9A-F]{8}(/[0-9]{1,5}/[0-9A-F]{8}){0,32}")
PIXEL_TAGS: Final = ("7FE00008", "7FE00009", "7FE00010")
_WIDTHS: Final = {"OW": 2, "OL": 4, "OF": 4, "OV": 8, "OD": 8}
_NONE: Final = "no such bulk data is held here"


Parts = Iterator[tuple[str, Iterable[bytes]]]


def bulk_parts(opened: Opened, path: str) -> tuple[str, Parts]:
    """The media type of the parts, and the parts: Content-Type and bytes. Compressed pixel data has one per frame.

    Args:
        opened: the instance.
        path: of a BulkDataURI: tags with the indices of sequence items between them.

    Raises:
        HTTPException: 404 there is no such value, or it is broken; 400 that is no path.
    """
    if not PATH.fullmatch(path):
        raise HTTPException(400, "bulk data: expected tags with indices between them, found something else")
    if path not in PIXEL_TAGS:
        return OCTETS, iter([(OCTETS, [_value(opened, path.split("/"))])])
    try:
        return _pixel_parts(opened, int(path, 16))
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def _pixel_parts(opened: Opened, tag: int) -> tuple[str, Parts]:
    where, syntax = opened.pixels, opened.syntax
    if not opened.has_pixels or tag != (0x7FE00010 if where is None else where.tag):
        raise HTTPException(404, _NONE)
    kind = MEDIA_TYPES.get(syntax, OCTETS)
    content_type = with_syntax(kind, stored_syntax(opened))
    if where is not None and where.length is not None and syntax != BIG_ENDIAN:
        return kind, iter([(content_type, read_range(opened.held, where.start, where.length))])
    # The first frame is read before the answer begins, so that broken pixel data is still told as an error.
    first = stored_frame(opened, 1)
    numbers = range(2, opened.slice.pixels.frames + 1)
    frames = chain([first], (stored_frame(opened, number) for number in numbers))
    if syntax in NATIVE:  # one value, whatever the number of frames
        return kind, iter([(content_type, frames)])
    return kind, ((content_type, [frame]) for frame in frames)


def _value(opened: Opened, path: list[str]) -> bytes:
    dataset: Dataset = opened.dataset
    try:
        with quiet_pydicom():
            for tag, index in zip(path[:-1:2], path[1::2], strict=True):
                dataset = dataset[int(tag, 16)].value[int(index)]
            element: Any = dataset[int(path[-1], 16)]
            value = element.value
    except (*PARSE_ERRORS, OSError) as error:
        raise HTTPException(404, _NONE) from error
    if not isinstance(value, bytes):
        raise HTTPException(404, _NONE)
    return little_endian(value, _WIDTHS.get(element.VR, 1)) if opened.syntax == BIG_ENDIAN else value
