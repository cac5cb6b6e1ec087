"""What a caller takes of instances and frames (PS3.18 sections 8.7.4 and 8.7.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import HTTPException, Request

from ichscan.service.dicomweb.frames import EXPLICIT_LITTLE, MEDIA_TYPES, Frame, can_be_plain, frame_of, stored_syntax
from ichscan.service.dicomweb.media import ANY, DICOM, MULTIPART, OCTETS, MediaType, first_accepted, parse_accept
from ichscan.service.dicomweb.opened import Opened
from ichscan.service.dicomweb.transcode import AS_STORED

_OLD_NAMES: Final = {"image/x-jls": "image/jls", "image/x-dicom-rle": "image/dicom-rle", "image/jpx": "image/jp2"}


def accepted_of(request: Request) -> list[MediaType]:
    """The query parameter `accept`, else the header, best first (PS3.18 section 8.3.3.1)."""
    told = request.query_params.get("accept")
    return parse_accept(told if told is not None else request.headers.get("accept"))


def choose(request: Request, offered: Sequence[str]) -> str:
    """The type of those offered that the caller likes best; 406 when it takes none."""
    found = first_accepted(accepted_of(request), offered)
    if found is None:
        raise HTTPException(406, f"Accept: expected {' or '.join(offered)}, found only others")
    return found


@dataclass(frozen=True, slots=True)
class DicomWanted:
    """DICOM files: in which transfer syntaxes, and whether one comes by itself instead of in a multipart."""

    syntaxes: tuple[str, ...]
    alone: bool


def dicom_wanted(request: Request, *, one: bool) -> DicomWanted:
    """How files are wanted; 406 when they are not.

    Args:
        request: that asks.
        one: a single instance is asked for, which may come by itself.
    """
    syntaxes: list[str] = []
    alone = False
    for kind in accepted_of(request):
        by_itself = kind.name == DICOM
        if (by_itself and one) or (kind.covers(MULTIPART) and kind.inner in (DICOM, ANY, MULTIPART)):
            alone = by_itself if not syntaxes else alone and by_itself
            syntaxes.append(kind.transfer_syntax or EXPLICIT_LITTLE)
    if not syntaxes:
        raise HTTPException(406, f'Accept: expected {MULTIPART}; type="{DICOM}", found only others')
    return DicomWanted(tuple(syntaxes), alone)


@dataclass(frozen=True, slots=True)
class FrameWanted:
    """How frames are given: decoded or as stored, under which type."""

    plain: bool
    media_type: str

    def frame(self, opened: Opened, number: int) -> Frame:
        """A frame, from 1 on. Raises InputError when it is broken."""
        return frame_of(opened, number, plain=self.plain, media_type=self.media_type)


def frame_wanted(request: Request, opened: Opened) -> FrameWanted:
    """How frames of this instance are wanted; 406 when they cannot be had so."""
    for kind in accepted_of(request):
        if kind.name == ANY or kind.covers(MULTIPART):
            found = _offer(kind.inner if kind.name == MULTIPART else ANY, kind.transfer_syntax, opened)
            if found is not None:
                return found
    raise HTTPException(
        406,
        f'Accept: expected {MULTIPART}; type="{OCTETS}"; transfer-syntax=*, or the type of the pixel data as it is '
        f"stored ({stored_syntax(opened)}); found only others",
    )


def _offer(inner: str, syntax: str, opened: Opened) -> FrameWanted | None:
    stored, plain = stored_syntax(opened), can_be_plain(opened)
    own = MEDIA_TYPES.get(stored, OCTETS)
    wanted = _OLD_NAMES.get(inner, inner)
    if wanted in (OCTETS, ANY):
        if plain and syntax in ("", EXPLICIT_LITTLE):
            return FrameWanted(True, OCTETS)
        if syntax in (AS_STORED, stored) or (wanted == ANY and not syntax):
            return FrameWanted(False, OCTETS if wanted == OCTETS else own)
    elif wanted in (own, "image/*") and own != OCTETS and syntax in ("", AS_STORED, stored):
        return FrameWanted(False, own)
    return None
