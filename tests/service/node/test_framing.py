"""Units are read whole, and only within limits."""

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from ichscan.service.node.connection import Connection, plain
from ichscan.service.node.framing import LONGEST_BYTES, Limits, Memory

Pair = tuple[socket.socket, Connection]


def unit(body: bytes, kind: int = 4) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


@pytest.fixture
def memory() -> Memory:
    return Memory(2 << 20)


@pytest.fixture
def pair(memory: Memory) -> Iterator[Pair]:
    caller, accepted = socket.socketpair()
    connection = plain(accepted)
    connection.watch(Limits(0.3, memory), "192.0.2.1")
    yield caller, connection
    caller.close()
    connection.close()


def test_pieces_make_up_the_unit(pair: Pair, memory: Memory) -> None:
    caller, connection = pair
    body = bytes(range(256)) * 40
    caller.sendall(unit(body) + unit(b"", kind=5))
    assert struct.unpack(">BxI", connection.recv(6)) == (4, len(body))
    assert b"".join(connection.recv(4096) for _ in range(3)) == body
    assert connection.recv(6) == unit(b"", kind=5)
    assert memory.held == len(body)
    connection.send(b"answer")
    assert memory.held == 0


def test_a_unit_that_comes_in_drops_is_whole_when_it_is_in_time(pair: Pair) -> None:
    caller, connection = pair
    body = unit(b"x" * 50)

    def drip() -> None:
        for at in range(len(body)):
            caller.sendall(body[at : at + 1])
            time.sleep(0.001)

    thread = threading.Thread(target=drip)
    thread.start()
    assert connection.recv(6) + connection.recv(100) == body
    thread.join()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "type 0x47"),
        (b"\0" * 6, "type 0x00"),
        (struct.pack(">BxI", 4, LONGEST_BYTES + 1), "at most"),
        (struct.pack(">BxI", 1, 0xFFFFFFFF), "at most"),
        (b"\4", "within 0.3 s"),
        (unit(b"x" * 100)[:-1], "within 0.3 s"),
    ],
)
def test_broken_limits_end_the_connection(
    pair: Pair, sent: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caller, connection = pair
    caller.sendall(sent)
    begin = time.monotonic()
    assert connection.recv(6) == b""
    assert time.monotonic() - begin < 1
    assert reason in caplog.text
    assert "192.0.2.1" in caplog.text
    caller.settimeout(1)
    assert caller.recv(1) == b""


def test_a_caller_that_drips_is_ended_too(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    caller, connection = pair
    over = threading.Event()

    def drip() -> None:
        caller.sendall(unit(b"x" * 1000)[:6])
        while not over.wait(0.05):
            try:
                caller.sendall(b"x")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    assert connection.recv(6) == b""
    over.set()
    thread.join()
    assert "within 0.3 s" in caplog.text


def test_callers_that_go_away_are_no_error(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    caller, connection = pair
    caller.sendall(unit(b"x" * 100)[:50])
    caller.close()
    assert connection.recv(6) == b""
    connection.shutdown(socket.SHUT_RDWR)
    assert caplog.text == ""


def test_all_connections_together_hold_no_more_than_the_memory(
    pair: Pair, memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    caller, connection = pair
    assert memory.take(2 << 20)
    caller.sendall(unit(b"x"))
    assert connection.recv(6) == b""
    assert "too much" in caplog.text
    memory.give_back(2 << 20)
    assert memory.held == 0


def test_what_was_held_is_given_back_at_the_end(memory: Memory) -> None:
    caller, accepted = socket.socketpair()
    connection = plain(accepted)
    connection.watch(Limits(0.3, memory), "192.0.2.1")
    caller.sendall(unit(b"x" * 100))
    assert connection.recv(6)
    assert memory.held == 100
    connection.close()
    assert memory.held == 0
    caller.close()


def test_units_that_are_no_data_are_not_counted(pair: Pair, memory: Memory) -> None:
    caller, connection = pair
    caller.sendall(unit(b"x" * 100, kind=1))
    assert connection.recv(6)
    assert memory.held == 0
