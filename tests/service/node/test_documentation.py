"""docs/service-dicom.md says what the code does."""

import json
from pathlib import Path

from pydicom.uid import UID
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from ichscan.service.node import contexts, framing, node, receive, server
from ichscan.service.settings import DicomSettings


def test_statuses_and_limits_are_told(project_root: Path) -> None:
    page = (project_root / "docs" / "service-dicom.md").read_text(encoding="utf-8")
    statuses = ("SUCCESS", "NOT_AUTHORISED", "OUT_OF_RESOURCES", "NO_MATCH", "NOT_UNDERSTOOD")
    for name in statuses:
        assert f"| {getattr(receive, name):04X}H |" in page
    defaults = DicomSettings()
    assert f"`dicom.associations` ({defaults.associations})" in page
    assert f"| {node.SPARE_CONNECTIONS} more |" in page
    assert f"`dicom.idle_s` ({defaults.idle_s:g} s)" in page
    assert f"| {server.HANDSHAKE_S:g} s |" in page
    assert f"| {node.REQUEST_S:g} s, at most `dicom.idle_s` |" in page
    assert f"{framing.LONGEST_BYTES >> 20} MiB; {framing.ANNOUNCED_BYTES >> 10} KiB is announced" in page
    assert f"| {framing.MOST_HELD >> 20} MiB |" in page


def test_classes_and_syntaxes_are_those_of_the_standard() -> None:
    for uid in (*contexts.CT, *contexts.BESIDE):
        assert uid_to_service_class(uid) is StorageServiceClass, uid
    for uid in contexts.TRANSFER_SYNTAXES:
        assert UID(uid).type == "Transfer Syntax", uid
    assert len(set(contexts.BESIDE)) == len(contexts.BESIDE)
    assert len(set(contexts.TRANSFER_SYNTAXES)) == len(contexts.TRANSFER_SYNTAXES)


def test_the_cost_is_what_was_measured(project_root: Path) -> None:
    page = (project_root / "docs" / "service-dicom.md").read_text(encoding="utf-8")
    found = json.loads((project_root / "benchmarks" / "receive.json").read_text(encoding="utf-8"))
    for one in found["receiving"]:
        rate = one["images_per_s"]
        assert f"{rate['median']} ({rate['low']}-{rate['high']})" in page
    service, waits = found["service"], found["service"]["time_to_result_s"]
    assert service["images"] == found["studies"] * found["slices"]
    assert service["studies_with_result"] == found["studies"]
    told = " ".join(page.split())
    assert f"{service['images_per_s']} images per second, all {service['images']} images" in told
    assert f"{service['peak_mb']} MB at most for all processes" in told
    assert f"result {waits['first']:.0f} s after" in told
    assert f"the last one after {waits['last']:.0f} s" in told
