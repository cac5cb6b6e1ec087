"""Real senders: the programs of dcmtk."""

import threading
from pathlib import Path

import pytest
from tests.dicom_builders import STUDY, deflated, head_series, implicit, slice_dataset, to_bytes
from tests.service.node.box import Start, data_set_of, until
from tests.service.node.raw import ACCEPTED, REJECTED, RELEASED, Raw, pdata, request, store_command, unit

from ichscan.errors import OutputError
from ichscan.service.node import Node
from ichscan.service.settings import DicomSettings, Peer, Settings, StorageSettings
from ichscan.service.spool import Spool

PEERS = (Peer("scanner", "SCANNER"), Peer("looks only", "LOOKS", may_send=False), Peer("far", "FAR", "192.0.2.1"))


@pytest.fixture
def head(tmp_path: Path) -> Path:
    folder = tmp_path / "head"
    folder.mkdir()
    for number, file in enumerate(head_series(6)):
        (folder / f"{number}.dcm").write_bytes(file)
    return folder


def test_a_study_arrives_as_it_was_sent(start: Start, head: Path) -> None:
    box = start(peers=PEERS)
    code, said = box.call("storescu", "+sd", head)
    assert code == 0, said
    sent = sorted(data_set_of(path.read_bytes()) for path in head.iterdir())
    assert sorted(data_set_of(path.read_bytes()) for path in box.images) == sent
    assert until(lambda: box.markers == [[STUDY]])
    assert box.refusals == []
    assert box.leftovers == []


def test_dcmsend_and_programs_of_this_machine_without_peers(start: Start, head: Path) -> None:
    box = start()
    code, said = box.call("dcmsend", "+sd", head, aet="ANYBODY")
    assert code == 0, said
    assert len(box.images) == 6
    assert box.echo()


@pytest.mark.parametrize(
    ("option", "file"),
    [
        ("-xi", implicit()),
        ("-xb", to_bytes(slice_dataset())),
        ("-xd", deflated()),
        ("-x=", to_bytes(slice_dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"))),
    ],
)
def test_other_syntaxes_and_classes(start: Start, tmp_path: Path, option: str, file: bytes) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(file)
    box = start()
    code, said = box.call("storescu", option, path)
    assert code == 0, said
    assert len(box.images) == 1


@pytest.mark.parametrize(
    ("aet", "aec", "reason"),
    [
        ("STRANGER", "ICHSCAN", "Calling AE Title Not Recognized"),
        ("FAR", "ICHSCAN", "Calling AE Title Not Recognized"),
        ("SCANNER", "OTHER", "Called AE Title Not Recognized"),
    ],
)
def test_unknown_callers_are_refused(start: Start, aet: str, aec: str, reason: str) -> None:
    box = start(peers=PEERS)
    code, said = box.call("echoscu", aet=aet, aec=aec)
    assert code != 0
    assert reason in said
    assert box.echo()
    assert box.quiet()
    if aec == "ICHSCAN":
        assert box.refusals == [(f"dimse:{aet}@127.0.0.1", "no peer has this AE title and address")]


def test_unknown_addresses_are_closed_unread(start: Start) -> None:
    box = start(peers=PEERS[2:])
    with Raw(box.node.port) as raw:
        assert raw.answer() is None
    assert box.refusals == [("dimse:@127.0.0.1", "no peer has this address")]


def test_a_peer_may_be_known_and_not_send(start: Start, head: Path) -> None:
    box = start(peers=PEERS)
    code, said = box.call("storescu", "+sd", head, aet="LOOKS")
    assert code != 0
    assert "Status: 0x124" in said
    assert box.images == []
    assert box.markers == []
    assert box.refusals[0] == ("dimse:LOOKS", "status 0124H: may_send is false for this AE title")


def test_when_full_the_sender_is_told_to_keep_it(start: Start, head: Path) -> None:
    box = start(storage=StorageSettings(free_gb=10.0**9))
    code, said = box.call("storescu", "+sd", head)
    assert code != 0
    assert "Refused: OutOfResources" in said
    assert box.images == []
    assert box.leftovers == []
    assert "status A700H" in box.refusals[0][1]


def test_a_spool_that_cannot_be_written_is_out_of_resources(start: Start, head: Path) -> None:
    box = start()
    spool = box.settings.folder / "spool"
    spool.rmdir()
    code, said = box.call("storescu", "+sd", head)
    assert code != 0
    assert "Refused: OutOfResources" in said
    spool.mkdir()
    assert box.call("storescu", "+sd", head)[0] == 0


@pytest.mark.parametrize(
    ("data", "instance", "status"),
    [
        (to_bytes(slice_dataset()), "1.2.3", "A900H"),
        (to_bytes(slice_dataset(StudyInstanceUID=None)), f"{STUDY}.1.1", "C000H"),
        (to_bytes(slice_dataset(StudyInstanceUID="../../../etc/passwd")), f"{STUDY}.1.1", "C000H"),
        (bytes(144), f"{STUDY}.1.1", "C000H"),
    ],
)
def test_data_that_is_not_what_was_announced(start: Start, data: bytes, instance: str, status: str) -> None:
    box = start()
    with Raw(box.node.port) as raw:
        raw.send(request())
        assert raw.answer() == ACCEPTED
        raw.send(pdata(3, store_command(sop_instance=instance)) + pdata(2, data_set_of(data)))
        assert raw.answer() == 4
        raw.send(unit(5, bytes(4)))
        assert raw.answer() == RELEASED
    assert [reason[7:12] for _, reason in box.refusals] == [status]
    assert box.images == []


def test_an_aborted_association_keeps_whole_objects_and_says_nothing_is_complete(start: Start) -> None:
    box = start()
    whole = data_set_of(to_bytes(slice_dataset()))
    with Raw(box.node.port) as raw:
        raw.send(request())
        assert raw.answer() == ACCEPTED
        raw.send(pdata(3, store_command(sop_instance=f"{STUDY}.1.1")) + pdata(2, whole))
        assert raw.answer() == 4
        raw.send(pdata(3, store_command(sop_instance=f"{STUDY}.1.2")) + pdata(0, whole[:500]))
    assert box.quiet()
    assert [data_set_of(path.read_bytes()) for path in box.images] == [whole]
    assert box.markers == []
    assert box.leftovers == []
    assert box.echo()


def test_the_node_cannot_be_asked_for_what_it_holds(start: Start) -> None:
    box = start()
    code, said = box.call("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName")
    assert code != 0
    assert "No Acceptable Presentation Contexts" in said


def test_no_more_associations_than_told(start: Start) -> None:
    box = start(associations=2)
    with Raw(box.node.port) as one, Raw(box.node.port) as two:
        for raw in (one, two):
            raw.send(request())
            assert raw.answer() == ACCEPTED
        code, said = box.call("echoscu")
        assert code != 0
        assert "Local Limit Exceeded" in said
    assert box.quiet()
    assert box.echo()


def test_a_silent_association_is_ended(start: Start) -> None:
    box = start(idle_s=0.3)
    with Raw(box.node.port) as raw:
        raw.send(request())
        assert raw.answer() == ACCEPTED
        assert raw.ended()
    assert box.quiet()


def test_stopping_lets_senders_end(start: Start) -> None:
    box = start()
    whole = data_set_of(to_bytes(slice_dataset()))
    with Raw(box.node.port) as raw:
        raw.send(request())
        assert raw.answer() == ACCEPTED
        stopping = threading.Thread(target=box.node.stop)
        stopping.start()
        raw.send(pdata(3, store_command(sop_instance=f"{STUDY}.1.1")) + pdata(2, whole))
        assert raw.answer() == 4
        raw.send(unit(5, bytes(4)))
        assert raw.answer() == RELEASED
        stopping.join(5)
        assert not stopping.is_alive()
    assert len(box.images) == 1
    box.node.start()
    assert box.echo()


def test_stopping_aborts_who_does_not_end(start: Start) -> None:
    box = start()
    with Raw(box.node.port) as raw:
        raw.send(request())
        assert raw.answer() == ACCEPTED
        box.node.stop(grace_s=0.1)
        assert raw.ended()
    with pytest.raises(RuntimeError, match="not started"):
        _ = box.node.port
    box.node.stop()


def test_a_port_that_is_taken_is_told(start: Start, tmp_path: Path) -> None:
    box = start()
    settings = Settings(folder=tmp_path, dicom=DicomSettings(port=box.node.port))
    with pytest.raises(OutputError, match=r"dicom.port: expected to listen on 127.0.0.1"):
        Node(settings, Spool(settings)).start()


def test_rejections_come_before_the_connection_is_closed(start: Start) -> None:
    box = start(peers=PEERS)
    for _ in range(20):
        with Raw(box.node.port) as raw:
            raw.send(request(calling=b"STRANGER"))
            assert raw.answer() == REJECTED
