"""Results to a DICOMweb server by STOW-RS (PS3.18 section 10.5)."""

import json
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ichscan.service.send.failure import DeliveryError
from ichscan.service.send.http import authorization, post
from ichscan.service.settings import WebPeer

FAILED: Final = "00081198"
"""Failed SOP Sequence."""
REASON: Final = "00081197"
"""Failure Reason."""
CHUNK: Final = 1 << 18


def store(peer: WebPeer, paths: Sequence[Path]) -> int:
    """Sends files in one request; the server may hold some of them already.

    Returns:
        How many were stored.

    Raises:
        DeliveryError: not reachable, refused, or not all were stored.
    """
    boundary = f"ichscan-{secrets.token_hex(16)}"
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Accept": "application/dicom+json",
        # known beforehand, so that servers without chunked requests take it
        "Content-Length": str(_length(boundary, paths)),
        **authorization(peer.name, peer.user, peer.password_file, peer.token_file),
    }
    answer = post(peer.name, peer.url.rstrip("/") + "/studies", headers, _body(boundary, paths))
    if answer.status not in (200, 202, 409):
        raise DeliveryError(f"{peer.name}: expected HTTP 200 for STOW-RS, found {answer.status}; see its log")
    failed = _failed(answer.body)
    if failed or answer.status != 200:
        reasons = ", ".join(sorted({f"0x{code:04X}" for code in failed})) or f"HTTP {answer.status}"
        stored = len(paths) - (len(failed) or len(paths))
        raise DeliveryError(
            f"{peer.name}: expected {len(paths)} objects to be stored, found {stored}: {reasons}; see its log"
        )
    return len(paths)


def _head(boundary: str) -> bytes:
    return f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")


def _length(boundary: str, paths: Sequence[Path]) -> int:
    try:
        files = sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise DeliveryError("a result is missing; analyse the study again") from error
    return files + len(paths) * (len(_head(boundary)) + 2) + len(boundary) + 6


def _body(boundary: str, paths: Sequence[Path]) -> Iterator[bytes]:
    """The multipart body (RFC 2387)."""
    for path in paths:
        yield _head(boundary)
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("ascii")


def _failed(body: bytes) -> list[int]:
    """Failure reasons in a Store Instances Response Module (PS3.18 annex I)."""
    try:
        told: Any = json.loads(body) if body else {}
        items = told.get(FAILED, {}).get("Value", []) if isinstance(told, dict) else []
        return [int((item.get(REASON, {}).get("Value") or [0])[0]) for item in items]
    except (ValueError, TypeError, AttributeError, IndexError):
        return []  # the status of the answer decides
