"""Reads one protocol data unit at a time (PS3.8 section 9.3), within limits of size, memory and time.

pynetdicom reads a unit of any length that a caller names, in pieces, without a time limit. It is given sockets that
read whole units here and hand out the pieces: fewer system calls, and a hostile caller ends up disconnected.
"""

import logging
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Final

LOG: Final = logging.getLogger(__name__)
HEADER_BYTES: Final = 6
"""Type, a reserved byte, and the length of the rest (PS3.8 section 9.3.1)."""
ANNOUNCED_BYTES: Final = 256 << 10
"""Longest unit that senders are asked for (PS3.8 annex D.1); most send less."""
LONGEST_BYTES: Final = 1 << 20
"""Longest that is read: an association request with 128 presentation contexts, or a sender that does not care."""
MOST_HELD: Final = 768 << 20
"""Of objects that are being received, all associations together."""
_DATA: Final = 0x04
_TYPES: Final = range(0x01, 0x08)


class Memory:
    """How much of what was received is held until it is answered, by all connections. Thread-safe."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Bytes."""
        return self._held

    def take(self, size: int) -> bool:
        """Counts bytes, or says that they are too many."""
        with self._lock:
            if self._held + size > self._most:
                return False
            self._held += size
            return True

    def give_back(self, size: int) -> None:
        """Takes bytes out of the count."""
        with self._lock:
            self._held -= size


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may do.

    Attributes:
        unit_s: for one unit, from its first byte to its last, and for sending one.
        memory: shared by all connections.
    """

    unit_s: float
    memory: Memory = field(default_factory=Memory)


class Framing:
    """The reading side of one connection. Used by one thread at a time, but for `answered`."""

    def __init__(self, connection: socket.socket, limits: Limits, caller: str) -> None:
        self._connection = connection
        self._limits = limits
        self._caller = caller
        self._unit = memoryview(b"")
        self._held = 0

    def take(self, size: int) -> bytes:
        """At most `size` bytes of the unit; b"" when the connection ended, or was ended for breaking a limit.

        Raises:
            OSError: the connection broke.
        """
        if not self._unit:
            self._unit = memoryview(self._read_unit())
        piece, self._unit = self._unit[:size], self._unit[size:]
        return bytes(piece)

    def answered(self) -> None:
        """What was received is done with: an answer was sent, or the connection is closed."""
        held, self._held = self._held, 0
        if held:
            self._limits.memory.give_back(held)

    def _read_unit(self) -> bytearray | bytes:
        until = time.monotonic() + self._limits.unit_s
        header = bytearray(HEADER_BYTES)
        if not self._fill(memoryview(header), until):
            return b""
        kind, length = struct.unpack(">BxI", header)
        if kind not in _TYPES:
            return self._end(f"expected a DICOM protocol data unit, found type 0x{kind:02X}")
        if length > LONGEST_BYTES:
            return self._end(f"expected a unit of at most {LONGEST_BYTES} bytes, found {length}")
        if kind == _DATA:
            if not self._limits.memory.take(length):
                return self._end("too much is being received at once, or the object is too large")
            self._held += length
        unit = bytearray(HEADER_BYTES + length)
        unit[:HEADER_BYTES] = header
        return unit if self._fill(memoryview(unit)[HEADER_BYTES:], until) else b""

    def _fill(self, view: memoryview, until: float) -> bool:
        """Reads until `view` is full; False when the connection ended first."""
        limited = False
        try:
            while view:
                read = self._connection.recv_into(view)
                if not read:
                    return False
                view = view[read:]
                if view:
                    left = until - time.monotonic()
                    if left <= 0:
                        raise TimeoutError
                    self._connection.settimeout(left)
                    limited = True
        except TimeoutError:
            self._end(f"expected a whole unit within {self._limits.unit_s:g} s, found part of one")
            return False
        finally:
            if limited:
                self._connection.settimeout(self._limits.unit_s)
        return True

    def _end(self, reason: str) -> bytes:
        LOG.warning("DICOM connection of %s ended: %s", self._caller, reason)
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            LOG.debug("DICOM connection of %s was closed already", self._caller)
        return b""
