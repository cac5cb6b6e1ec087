import io
import struct
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian
from tests.dicom_builders import (
    CT,
    PATIENT_ID,
    PATIENT_NAME,
    STUDY,
    compressed,
    deflated,
    enhanced,
    implicit,
    slice_dataset,
    to_bytes,
)
from tests.service.core.world import data_set_sha256

from ichscan.errors import InputError, NotDicomError, UnreadableFileError
from ichscan.service import identify as module
from ichscan.service.identify import identify

DEEP = struct.pack("<HH2s2xI", 0x0008, 0x1140, b"SQ", 0xFFFFFFFF) + b"\xfe\xff\x00\xe0" + b"\xff" * 4
Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(data: bytes) -> Path:
        path = tmp_path / "file.dcm"
        path.write_bytes(data)
        return path

    return made


def test_what_the_tables_need(write: Write) -> None:
    data = to_bytes(
        slice_dataset(
            3, PatientBirthDate="19400229", PatientSex="F", StudyDate="20260101", StudyTime="101112.5", Modality="CT",
            AccessionNumber="A 1", StudyDescription="Head", Manufacturer="GE", ManufacturerModelName="Rev",
            StationName="CT1", SeriesNumber=4,
        )
    )  # fmt: skip
    found = identify(write(data))
    assert (found.study_instance_uid, found.series_instance_uid) == (STUDY, f"{STUDY}.1")
    assert (found.sop_instance_uid, found.sop_class_uid) == (f"{STUDY}.1.4", CT)
    assert found.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    assert (found.patient_name, found.patient_id, found.birth_date, found.sex) == (
        PATIENT_NAME, PATIENT_ID, "19400229", "F",
    )  # fmt: skip
    assert (found.study_date, found.study_time, found.accession_number) == ("20260101", "101112.5", "A 1")
    assert (found.study_description, found.station, found.modality) == ("Head", "GE Rev CT1", "CT")
    assert (found.series_number, found.number, found.rows, found.columns, found.frames) == (4, 4, 64, 64, 1)
    assert (found.size, found.sha256) == (len(data), data_set_sha256(data))


@pytest.mark.parametrize(
    "data",
    [
        implicit(),
        deflated(),
        compressed(0, "1.2.840.10008.1.2.4.70", lambda pixels: b"\xff\xd8\xff\xd9"),
        enhanced(),
        to_bytes(slice_dataset(0, ImageType=None, PixelData=None)),
    ],
    ids=["implicit", "deflated", "jpeg", "enhanced", "no pixels"],
)
def test_every_transfer_syntax_and_class(write: Write, data: bytes) -> None:
    assert identify(write(data)).study_instance_uid == STUDY


def test_big_endian(write: Write) -> None:
    dataset = slice_dataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    del dataset.PixelData
    buffer = io.BytesIO()
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = CT, "1.2"
    dataset.save_as(buffer, enforce_file_format=True)
    found = identify(write(buffer.getvalue()))
    assert (found.study_instance_uid, found.rows) == (STUDY, 64)


def test_meta_header_of_the_sender_is_no_difference(write: Write) -> None:
    dataset = slice_dataset()
    first = identify(write(to_bytes(dataset)))
    dataset.file_meta.SourceApplicationEntityTitle = "OTHER"
    assert identify(write(to_bytes(dataset))).sha256 == first.sha256
    dataset.SeriesDescription = "other"
    assert identify(write(to_bytes(dataset))).sha256 != first.sha256


@pytest.mark.parametrize(
    "name", ["Müller^Jörg", "山田^太郎", "<script>alert(1)</script>", "x" * 5000, "a\x1bb\nc", "O'Brien\\Second"]
)
def test_text_is_one_line_that_databases_can_hold(write: Write, name: str) -> None:
    dataset = slice_dataset(0, SpecificCharacterSet="ISO_IR 192", PatientName=name)
    found = identify(write(to_bytes(dataset))).patient_name
    assert len(found) <= 200
    assert found.isprintable()
    found.encode("utf-8")
    assert found.startswith(name[:1])


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
@pytest.mark.parametrize("uid", [None, "../../etc", "1.2/3", "1..2", "abc", "1.2 3", "1" * 65, "1.2."])
def test_what_is_no_uid_is_refused(write: Write, keyword: str, uid: str | None) -> None:
    data = to_bytes(slice_dataset(0, SpecificCharacterSet="ISO_IR 192", **{keyword: uid}))
    with pytest.raises(InputError, match=f"expected {keyword}"):
        identify(write(data))


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\0" * 132, b"\0" * 128 + b"DICM"[:3], b"PK\3\4" + b"\0" * 500, b"<html>" * 100]
)
def test_no_dicom_is_refused(write: Write, data: bytes) -> None:
    with pytest.raises(NotDicomError):
        identify(write(data))


def test_file_that_is_gone_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no", tmp_path):
        with pytest.raises(UnreadableFileError):
            identify(path)


def test_header_that_breaks_off_is_refused_and_quotes_nothing(write: Write) -> None:
    data = to_bytes(slice_dataset(0, PatientName="Doe^Jane"))
    refused = 0
    for length in range(132, 1000, 7):
        try:
            identify(write(data[:length]))
        except InputError as error:
            refused += 1
            told = str(error)
            assert "Jane" not in told  # where it breaks off after the last UID, it is no error
    assert refused > 50


def test_pixels_that_break_off_are_for_the_analysis_to_say(write: Write) -> None:
    assert identify(write(to_bytes(slice_dataset())[:-5000])).number == 1


def test_deflated_bomb_is_refused_before_it_fills_the_memory(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INFLATED", 10 << 20)
    head = deflated()
    start = 144 + int.from_bytes(head[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(zlib.decompress(head[start:], -zlib.MAX_WBITS))
    bomb += b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    with pytest.raises(UnreadableFileError, match="inflated"):
        identify(write(head[:start] + bomb))


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("many elements", b"".join(struct.pack("<HH2sH", 0x0009, 0x1000 + i % 4096, b"LO", 0) for i in range(30_000))),
        ("a long value", struct.pack("<HH2s2xI", 0x0010, 0x0020, b"UT", 1 << 20) + b"x" * (1 << 20)),
        ("a length beyond the file", struct.pack("<HH2s2xI", 0x0010, 0x0010, b"UT", 0x7FFFFFFF)),
        ("deep sequences", DEEP * 5000),
    ],
)  # fmt: skip
def test_absurd_header_is_refused(write: Write, what: str, more: bytes) -> None:
    data = to_bytes(slice_dataset())
    start = 144 + int.from_bytes(data[140:144], "little")
    with pytest.raises(InputError):
        identify(write(data[:start] + more + data[start:]))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(100, 1400), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6))
def test_changed_bytes_are_identified_or_refused(write: Write, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(to_bytes(slice_dataset()))
    for place, value in changes:
        data[place : place + len(value)] = value
    try:
        found = identify(write(bytes(data)))
    except InputError as error:
        assert "Doe" not in str(error)  # noqa: PT017  # most changes are no error
        return
    for text in (found.patient_name, found.patient_id, found.modality, found.station):
        assert not {unicodedata.category(c) for c in text} & {"Cc", "Cs"}
        text.encode("utf-8")
    assert len(found.study_instance_uid) <= 64
    assert set(found.sop_instance_uid + found.transfer_syntax_uid) <= set("0123456789.")
