"""Whatever is sent, the node goes on, keeps nothing half, and lets go of the caller."""

import random
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from tests.dicom_builders import STUDY, slice_dataset, to_bytes
from tests.service.node.box import Box, Start, data_set_of, until
from tests.service.node.raw import ACCEPTED, REJECTED, Raw, element, item, pdata, request, store_command, unit

from ichscan.service.node.framing import LONGEST_BYTES

WHOLE = data_set_of(to_bytes(slice_dataset()))
INSTANCE = f"{STUDY}.1.1"
pytestmark = [
    # pydicom warns of what is wrong in commands; what is wrong is what these tests are about.
    pytest.mark.filterwarnings("ignore:Invalid value for VR"),
    pytest.mark.filterwarnings("ignore:End of file reached"),
    # Some of it ends the thread that reads of its connection (and no other): pynetdicom does not catch it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One node for all that must not harm it."""
    made = Box(tmp_path_factory.mktemp("node"), idle_s=0.3)
    yield made
    made.node.stop(0.2)


def is_unharmed(box: Box, images: int = 0) -> bool:
    return box.quiet() and box.echo() and len(box.images) == images and not box.leftovers and not box.markers


UNITS = {
    "nothing": b"",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": bytes.fromhex("1603010200010001fc0303") + bytes(600),
    "unknown type": unit(0x42, b"x" * 20),
    "data before association": pdata(3, store_command()),
    "release before association": unit(5, bytes(4)),
    "abort before association": unit(7, bytes(4)),
    "acceptance": unit(2, request()[6:]),
    "rejection": unit(3, b"\0\1\1\1"),
    "empty request": unit(1, b""),
    "short request": unit(1, request()[6:40]),
    "half a request": request()[:-20],
    "longest length": struct.pack(">BxI", 1, 0xFFFFFFFF) + b"x" * 1000,
    "titles that are not text": request(calling=b"\xff\xfe\x00\x1b[31m", called=b"\xff" * 16),
    "path as title": request(calling=b"../../etc/passw"),
    "item beyond the end": unit(1, request()[6:80] + struct.pack(">BxH", 0x10, 0xFFFF)),
    "item of no length": unit(1, request()[6:80] + item(0x10, b"") + item(0x20, b"") + item(0x50, b"")),
    "many items": unit(1, request()[6:80] + item(0x10, b"1.2") * 9000),
}


@pytest.mark.parametrize("name", UNITS)
def test_units_in_place_of_a_request(box: Box, name: str) -> None:
    with Raw(box.node.port) as raw:
        raw.send(UNITS[name])
        if name in ("path as title", "short request"):
            assert raw.answer() == ACCEPTED  # nothing can be sent over the second: it has no presentation context
        assert raw.ended()
    assert is_unharmed(box)


def test_titles_are_told_without_control_characters(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    from ichscan.service.settings import Peer

    box = start(peers=(Peer("scanner", "SCANNER"),), idle_s=0.5)
    with Raw(box.node.port) as raw:
        raw.send(request(calling=b"A\x1b[31m\r\nFAKE"))
        assert raw.ended()
    with Raw(box.node.port) as raw:
        raw.send(request(calling=b"A B'; DROP--"))
        assert raw.answer() == REJECTED
    assert box.quiet()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("ichscan")]
    assert all(line.isprintable() for line in ours)
    assert "DROP" in ours[-1]


MESSAGES = {
    "request again": request(),
    "data without command": pdata(2, WHOLE),
    "unknown context": pdata(3, store_command(), context=99),
    "no body": unit(4, b""),
    "length beyond the unit": unit(4, struct.pack(">IBB", 5000, 1, 3) + b"x" * 10),
    "length of nothing": unit(4, struct.pack(">IBB", 0, 1, 3)),
    "command of noise": pdata(3, b"\xff" * 200),
    "command without field": pdata(3, element(0, bytes(4))),
    "unknown command": pdata(3, element(0x0100, b"\x77\x77") + element(0x0800, b"\1\1")),
    "command that breaks off": pdata(3, store_command()[:-5]),
    "UIDs with a path": pdata(3, store_command(sop_instance="../../../../tmp/x")) + pdata(2, WHOLE),
    "UID too long": pdata(3, store_command(sop_instance="1." * 100 + "1")) + pdata(2, WHOLE),
    "class of another context": pdata(3, store_command("1.2.840.10008.1.1", INSTANCE)) + pdata(2, WHOLE),
    "unknown class": pdata(3, store_command("1.2.3.4", INSTANCE)) + pdata(2, WHOLE),
    "too long": struct.pack(">BxI", 4, LONGEST_BYTES + 1) + bytes(1000),
    "empty data set": pdata(3, store_command()) + pdata(2, b""),
    "noise as data set": pdata(3, store_command()) + pdata(2, random.Random(0).randbytes(5000)),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_that_are_none(box: Box, name: str) -> None:
    with Raw(box.node.port) as raw:
        raw.send(request())
        assert raw.answer() == ACCEPTED
        raw.send(MESSAGES[name])
        kind = raw.answer()
        assert kind in (None, 7, 4), "closed, aborted or answered with a failure"
    assert is_unharmed(box)


def test_slow_callers_are_ended_and_others_are_served(start: Start) -> None:
    box = start(idle_s=4)
    slow = [Raw(box.node.port) for _ in range(6)]
    over = threading.Event()

    def drip(raw: Raw, data: bytes) -> None:
        for at in range(len(data)):
            if over.wait(0.1):
                return
            try:
                raw.send(data[at : at + 1])
            except OSError:
                return

    threads = [threading.Thread(target=drip, args=(raw, request())) for raw in slow[:3]]
    for raw in slow[3:]:
        raw.send(request())
        assert raw.answer() == ACCEPTED
        threads.append(threading.Thread(target=drip, args=(raw, pdata(3, store_command()))))
    for thread in threads:
        thread.start()
    assert box.echo()
    assert box.node.associations, "it was served beside the slow ones, not after them"
    assert until(lambda: not box.node.associations, 20)
    over.set()
    for thread in threads:
        thread.join()
    for raw in slow:
        raw.socket.close()
    assert is_unharmed(box)


def test_a_caller_that_does_not_read_answers_is_ended(start: Start) -> None:
    box = start(idle_s=0.5)
    echo = element(0x0002, b"1.2.840.10008.1.1\0") + element(0x0100, b"\x30\0") + element(0x0110, b"\1\0")
    echo += element(0x0800, b"\1\1")
    with Raw(box.node.port) as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        raw.send(request(sop_class="1.2.840.10008.1.1"))
        assert raw.answer() == ACCEPTED
        raw.socket.settimeout(0.2)
        try:
            for _ in range(3000):
                raw.send(pdata(3, echo))
        except OSError:
            pass
    assert until(lambda: not box.node.associations, 10)
    assert is_unharmed(box)


def test_a_flood_of_connections_leaves_the_node_alive(start: Start) -> None:
    box = start(associations=2, idle_s=0.5)
    flood = []
    for _ in range(60):
        flood.append(socket.create_connection(("127.0.0.1", box.node.port), timeout=5))
    assert until(lambda: any("connections" in reason for _, reason in box.refusals))
    assert box.node.associations <= 18
    for one in flood:
        one.close()
    assert is_unharmed(box)


def test_what_is_held_is_limited_and_given_back(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    box = start()
    memory = box.node._server._limits.memory  # type: ignore[union-attr]
    monkeypatch.setattr(memory, "_most", 1 << 20)
    with Raw(box.node.port) as raw:
        raw.send(request())
        assert raw.answer() == ACCEPTED
        try:
            raw.send(pdata(3, store_command()))
            for _ in range(300):
                raw.send(pdata(0, bytes(16000)))
        except OSError:
            pass
        assert raw.ended()
    assert is_unharmed(box)
    assert until(lambda: memory.held == 0)


def test_threads_end_with_their_callers(start: Start) -> None:
    box = start(idle_s=0.5)
    before = threading.active_count()
    for name in ("half a request", "unknown type", "nothing"):
        with Raw(box.node.port) as raw:
            raw.send(UNITS[name])
    assert until(lambda: threading.active_count() <= before, 5)


@pytest.mark.parametrize("seed", range(3))
def test_altered_traffic(start: Start, seed: int) -> None:
    """A whole association with bytes changed, lost, doubled: nothing but whole objects is kept."""
    box = start(idle_s=0.5)
    dice = random.Random(seed)
    traffic = request() + pdata(3, store_command(sop_instance=INSTANCE)) + pdata(0, WHOLE[:3000])
    traffic += pdata(2, WHOLE[3000:]) + unit(5, bytes(4))
    for _ in range(30):
        altered = bytearray(traffic)
        for _ in range(dice.choice([1, 1, 2, 5])):
            at = int(len(request()) * 2.2 * dice.random() ** 2)
            match dice.randrange(3):
                case 0:
                    altered[at] = dice.randrange(256)
                case 1:
                    del altered[at : at + dice.randrange(1, 9)]
                case _:
                    altered[at:at] = altered[at : at + dice.randrange(1, 40)]
        with Raw(box.node.port) as raw:
            try:
                raw.send(bytes(altered))
                raw.socket.shutdown(socket.SHUT_WR)
                while raw.answer() not in (None, 6, REJECTED):
                    pass
            except OSError:
                pass
    assert until(lambda: not box.node.associations, 5)
    assert box.echo()
    assert box.leftovers == []
    assert all(len(path.read_bytes()) > len(WHOLE) * 0.99 for path in box.images)
