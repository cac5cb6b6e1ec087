"""multipart/related (RFC 2046 section 5.1, RFC 2387) read as a stream, strictly, and written.

A body is never held in memory: what is not yet told apart from a boundary is at most one chunk and a boundary long.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ichscan.errors import InputError

MAX_PREAMBLE: Final = 64 << 10
MAX_HEADERS: Final = 8 << 10
BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")
"""RFC 2046 5.1.1, but longer: it allows 70 characters, and Orthanc sends 73."""
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):([^\x00-\x08\x0a-\x1f\x7f]*)")


@dataclass(frozen=True, slots=True)
class Part:
    """One part: header names in lower case, and its bytes, which can be read once and before the next part is."""

    headers: Mapping[str, str]
    body: Iterator[bytes] = field(repr=False)


def read_parts(chunks: Iterable[bytes], boundary: str) -> Iterator[Part]:
    """The parts of a body as they come in.

    Args:
        chunks: the body; read to its end, so that the sender is not cut off before it reads the answer.
        boundary: as the Content-Type header says, without the leading hyphens.

    Raises:
        InputError: no boundary of RFC 2046, a header that is malformed or too long, or an end before the last boundary.
    """
    if not BOUNDARY.fullmatch(boundary):
        raise InputError(f"multipart: expected a boundary of 1 to 200 characters of RFC 2046, found {len(boundary)}")
    stream = _Stream(iter(chunks), b"\r\n--" + boundary.encode("ascii"))
    stream.skip_preamble()
    while stream.next_part():
        headers = stream.headers()
        body = stream.body()
        yield Part(headers, body)
        for _ in body:
            pass
    stream.drain()


class _Stream:
    """The bytes that came and were not used yet."""

    def __init__(self, chunks: Iterator[bytes], delimiter: bytes) -> None:
        self._chunks = chunks
        self._delimiter = delimiter
        # The first boundary has no line end before it when there is no preamble.
        self._held = b"\r\n"

    def _more(self, what: str) -> None:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise InputError(f"multipart: expected {what}, the body ended; send it again")
        self._held += chunk

    def skip_preamble(self) -> None:
        seen = 0
        while (at := self._held.find(self._delimiter)) < 0:
            keep = len(self._delimiter) - 1
            seen += max(len(self._held) - keep, 0)
            self._held = self._held[-keep:]
            if seen > MAX_PREAMBLE:
                raise InputError(f"multipart: expected the first boundary within {MAX_PREAMBLE:,} bytes, found none")
            self._more("the first boundary")
        self._held = self._held[at + len(self._delimiter) :]

    def next_part(self) -> bool:
        """Reads what follows a boundary; whether a part comes."""
        while len(self._held) < 2:
            self._more("a line end after a boundary")
        if self._held[:2] == b"--":
            return False
        line = self._until(b"\r\n", 64, "a line end after a boundary")
        if line.strip(b" \t"):
            raise InputError("multipart: expected a line end after a boundary, found other characters")
        return True

    def headers(self) -> dict[str, str]:
        while len(self._held) < 2:
            self._more("the headers of a part")
        if self._held[:2] == b"\r\n":
            self._held = self._held[2:]
            return {}
        found: dict[str, str] = {}
        for line in self._until(b"\r\n\r\n", MAX_HEADERS, "the headers of a part").split(b"\r\n"):
            match = _HEADER.fullmatch(line)
            if match is None:
                raise InputError("multipart: expected a header line 'name: value' in a part, found something else")
            name = match[1].decode("ascii").lower()
            if name in found:
                raise InputError(f"multipart: expected header {name} once in a part, found it again")
            found[name] = match[2].strip(b" \t").decode("latin-1")
        return found

    def body(self) -> Iterator[bytes]:
        keep = len(self._delimiter) - 1
        while (at := self._held.find(self._delimiter)) < 0:
            if len(self._held) > keep:
                ready, self._held = self._held[:-keep], self._held[-keep:]
                yield ready
            self._more("a boundary at the end of a part")
        ready, self._held = self._held[:at], self._held[at + len(self._delimiter) :]
        if ready:
            yield ready

    def drain(self) -> None:
        for _ in self._chunks:
            pass

    def _until(self, end: bytes, limit: int, what: str) -> bytes:
        """The bytes before `end`; both are used up."""
        while (at := self._held.find(end)) < 0:
            if len(self._held) > limit:
                break
            self._more(what)
        if not 0 <= at <= limit:
            raise InputError(f"multipart: expected {what} within {limit:,} bytes, found more")
        found, self._held = self._held[:at], self._held[at + len(end) :]
        return found


def write_parts(parts: Iterable[tuple[str, Iterable[bytes]]], boundary: str) -> Iterator[bytes]:
    """A body of parts, each a Content-Type and its bytes."""
    line = boundary.encode("ascii")
    for content_type, chunks in parts:
        yield b"--" + line + b"\r\nContent-Type: " + content_type.encode("ascii") + b"\r\n\r\n"
        yield from chunks
        yield b"\r\n"
    yield b"--" + line + b"--\r\n"
