"""Studies are found in and fetched from a real PACS: Orthanc."""

from collections.abc import Iterator

import pytest
from tests.dicom_builders import PATIENT_ID, STUDY, head_series
from tests.network import free_port
from tests.orthanc import MISSING, REASON, Orthanc, orthanc
from tests.service.node.box import Box, until

from ichscan.errors import UsageError
from ichscan.service.query import Found, Moved, find_studies, move_study
from ichscan.service.send.failure import DeliveryError
from ichscan.service.settings import DicomSettings, Peer

NODE = DicomSettings(ae_title="ICHSCAN")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made = Box(tmp_path_factory.mktemp("node"), peers=(Peer("pacs", "ORTHANC"),))
    yield made
    made.node.stop(0.2)


@pytest.fixture(scope="module")
def pacs(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    if MISSING:
        pytest.skip(REASON)
    with orthanc(tmp_path_factory.mktemp("orthanc"), box_dicom=box.node.port) as running:
        running.upload(head_series(6, StudyDate="20260102", StudyDescription="Kopf nativ"))
        yield running


@pytest.fixture
def peer(pacs: Orthanc) -> Peer:
    return Peer("pacs", "ORTHANC", port=pacs.dicom)


@pytest.mark.parametrize(
    "key", [{"study_uid": STUDY}, {"patient_id": PATIENT_ID}, {"dates": "20260102"}, {"dates": "20251231-20260103"}]
)
def test_a_study_is_found(peer: Peer, key: dict[str, str]) -> None:
    assert find_studies(peer, NODE, **key) == [Found(STUDY, "20260102", "Kopf nativ", ("CT",), 6)]


@pytest.mark.parametrize("key", [{"study_uid": "1.2.3.4"}, {"patient_id": "Grüße"}, {"dates": "20260103"}])
def test_what_is_not_there_is_not_found(peer: Peer, key: dict[str, str]) -> None:
    assert find_studies(peer, NODE, **key) == []


def test_a_study_comes_through_the_node(peer: Peer, box: Box) -> None:
    assert move_study(peer, NODE, STUDY) == Moved(sent=6, failed=0)
    assert until(lambda: box.markers == [[STUDY]])
    assert len(box.images) == 6
    assert box.refusals == []


# pynetdicom leaves a socket that could not connect to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_failures_are_told(peer: Peer, box: Box) -> None:
    with pytest.raises(DeliveryError, match="expected success of C-MOVE"):
        move_study(peer, NODE, "1.2.3.4")
    with pytest.raises(DeliveryError, match=r"expected .* C-MOVE"):
        move_study(peer, DicomSettings(ae_title="NOBODY"), STUDY)
    with pytest.raises(DeliveryError, match="is it running"):
        find_studies(Peer("pacs", "ORTHANC", port=free_port()), NODE, study_uid=STUDY)
    with pytest.raises(DeliveryError, match="expected an association"):
        find_studies(Peer("node", "ICHSCAN", port=box.node.port), DicomSettings(ae_title="ORTHANC"), study_uid=STUDY)


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"study_uid": STUDY, "patient_id": "1"},
        {"study_uid": "*"},
        {"patient_id": "*"},
        {"patient_id": "A?"},
        {"dates": "*"},
        {"dates": "20260230"},
        {"dates": "20260102-"},
        {"dates": "20260103-20260102"},
        {"dates": "2026-01-02"},
        {"dates": "202612"},
        {"dates": "20260102", "patient_id": "1"},
    ],
)
def test_whole_archives_are_not_asked_for(key: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        find_studies(Peer("pacs", "ORTHANC", port=1), NODE, **key)
