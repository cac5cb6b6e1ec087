"""A caller that speaks DICOM's upper layer byte by byte (PS3.8 section 9.3), also wrongly."""

import socket
import struct
from types import TracebackType

from tests.dicom_builders import CT

EXPLICIT = "1.2.840.10008.1.2.1"
ACCEPTED, REJECTED, RELEASED, ABORTED = 2, 3, 6, 7


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def unit(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def request(calling: bytes = b"SCANNER", called: bytes = b"ICHSCAN", sop_class: str = CT) -> bytes:
    context = b"\1\0\0\0" + item(0x30, sop_class.encode()) + item(0x40, EXPLICIT.encode())
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3") + item(0x55, b"RAW")
    body = struct.pack(">Hxx", 1) + called.ljust(16) + calling.ljust(16) + bytes(32)
    return unit(1, body + item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context) + item(0x50, user))


def element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


def store_command(sop_class: str = CT, sop_instance: str = "1.2.3") -> bytes:
    def uid(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    rest = b"".join(
        (
            element(0x0002, uid(sop_class)), element(0x0100, b"\1\0"), element(0x0110, b"\7\0"),
            element(0x0700, b"\0\0"), element(0x0800, b"\0\0"), element(0x1000, uid(sop_instance)),
        )
    )  # fmt: skip
    return element(0, struct.pack("<I", len(rest))) + rest


def pdata(control: int, body: bytes, context: int = 1) -> bytes:
    """A data unit; control 3 = whole command, 2 = last of a data set, 0 = more follows."""
    return unit(4, struct.pack(">IBB", len(body) + 2, context, control) + body)


class Raw:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> int | None:
        """Kind of the next unit; None when the node closed the connection."""
        try:
            header = self._exactly(6)
            if header is None:
                return None
            self._exactly(struct.unpack(">BxI", header)[1])
        except ConnectionResetError:
            return None
        return header[0]

    def ended(self) -> bool:
        """Whether the node closes the connection, perhaps after an A-ABORT."""
        while (kind := self.answer()) is not None:
            if kind not in (ABORTED, REJECTED):
                return False
        return True

    def _exactly(self, size: int) -> bytes | None:
        found = b""
        while len(found) < size:
            more = self.socket.recv(size - len(found))
            if not more:
                return None
            found += more
        return found
