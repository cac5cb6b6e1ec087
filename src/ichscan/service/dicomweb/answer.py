"""Answers of many parts."""

import secrets
from collections.abc import Iterable
from typing import Final

from starlette.responses import StreamingResponse

from ichscan.service.dicomweb.media import MULTIPART
from ichscan.service.dicomweb.multipart import write_parts

WARNING: Final = '299 ichscan "{} instances could not be given in an acceptable form"'


def multipart_answer(parts: Iterable[tuple[str, Iterable[bytes]]], inner: str, status: int = 200) -> StreamingResponse:
    """A multipart/related answer, made while it is sent.

    Args:
        parts: Content-Type and bytes of each.
        inner: media type of the parts.
        status: of HTTP.
    """
    boundary = secrets.token_hex(16)
    media_type = f'{MULTIPART}; type="{inner}"; boundary={boundary}'
    return StreamingResponse(write_parts(parts, boundary), status, media_type=media_type)
