import pytest

from ichscan.errors import UsageError
from ichscan.service.node.callers import Callers, plain_address
from ichscan.service.settings import DicomSettings, Peer

PEERS = (Peer("CT 1", "CT1", "10.0.0.5"), Peer("PACS", "PACS", "localhost"), Peer("roaming", "ROAM", any_host=True))


@pytest.mark.parametrize(
    ("ae_title", "address", "known"),
    [
        ("CT1", "10.0.0.5", "CT 1"),
        ("CT1", "::ffff:10.0.0.5", "CT 1"),
        ("CT1", "10.0.0.6", None),
        ("CT1 ", "10.0.0.5", None),
        ("ct1", "10.0.0.5", None),
        ("PACS", "127.0.0.1", "PACS"),
        ("PACS", "10.0.0.5", None),
        ("ROAM", "192.0.2.1", "roaming"),
        ("", "10.0.0.5", None),
    ],
)
def test_title_and_address_must_both_be_known(ae_title: str, address: str, known: str | None) -> None:
    found = Callers(DicomSettings(peers=PEERS)).caller(ae_title, address)
    assert (found.name if found else None) == known


def test_addresses_are_known_before_the_title_is() -> None:
    callers = Callers(DicomSettings(peers=PEERS[:2]))
    assert [callers.known_address(one) for one in ("10.0.0.5", "127.0.0.1", "10.0.0.6")] == [True, True, False]
    assert Callers(DicomSettings(peers=PEERS)).known_address("192.0.2.1")


def test_without_peers_this_machine_alone_may_call() -> None:
    callers = Callers(DicomSettings())
    assert callers.caller("ANY", "127.0.0.1")
    assert callers.known_address("::1")
    assert not callers.known_address("10.0.0.5")
    assert callers.caller("ANY", "10.0.0.5") is None
    for host in ("0.0.0.0", "::", "", "192.0.2.1", "scanner.example"):
        with pytest.raises(UsageError, match=r"dicom.peers is empty"):
            Callers(DicomSettings(host=host))


def test_a_host_without_address_is_nobody(caplog: pytest.LogCaptureFixture) -> None:
    callers = Callers(DicomSettings(peers=(Peer("gone", "GONE", "no-such-host.invalid"),)))
    assert callers.caller("GONE", "127.0.0.1") is None
    assert not callers.known_address("127.0.0.1")
    assert caplog.text.count("cannot be looked up") == 1


def test_addresses_have_one_form() -> None:
    assert plain_address("fe80::1%eth0") == "fe80::1"
    assert plain_address("0:0:0:0:0:0:0:1") == "::1"
    assert plain_address("nonsense") == "nonsense"
