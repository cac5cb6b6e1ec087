"""WADO-RS: what comes out is what went in, and what pydicom reads of it."""

import io
import re

import numpy as np
import pydicom
import pytest
from tests.dicom_builders import (
    STUDY,
    compressed,
    deflated,
    enhanced,
    head_hu,
    head_series,
    implicit,
    slice_dataset,
    to_bytes,
)

from ichscan.service.dicomweb.multipart import read_parts

SERIES = f"/studies/{STUDY}/series/{STUDY}.1"
FIRST = f"{SERIES}/instances/{STUDY}.1.1"
DICOM = 'multipart/related; type="application/dicom"'
STORED = f"{DICOM}; transfer-syntax=*"
OCTETS = 'multipart/related; type="application/octet-stream"'
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_LS = "1.2.840.10008.1.2.4.80"
RLE = "1.2.840.10008.1.2.5"


def parts_of(answer) -> list[tuple[str, bytes]]:
    assert answer.status_code in (200, 206), answer.text
    boundary = re.search(r"boundary=([0-9a-f]+)", answer.headers["content-type"])
    assert boundary
    return [(one.headers["content-type"], b"".join(one.body)) for one in read_parts([answer.content], boundary[1])]


def jpeg_ls(index: int = 0) -> bytes:
    imagecodecs = pytest.importorskip("imagecodecs")
    return compressed(index, JPEG_LS, imagecodecs.jpegls_encode)


def stored_values(index: int = 0) -> np.ndarray:
    return (head_hu(index).astype(np.int32) + 1024).astype("<u2")


@pytest.mark.parametrize("path", [f"/studies/{STUDY}", SERIES])
def test_files_come_back_as_they_went_in(box, path):
    files = head_series(4)
    assert box.store(files) == 200
    parts = parts_of(box.get(path, STORED))
    assert [data for _, data in parts] == files
    assert {kind for kind, _ in parts} == {f"application/dicom; transfer-syntax={EXPLICIT}"}


def test_one_instance_also_comes_by_itself(box):
    files = head_series(2)
    box.store(files)
    answer = box.get(FIRST, "application/dicom; transfer-syntax=*")
    assert answer.content == files[0]
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert parts_of(box.get(FIRST, "*/*"))[0][1] == files[0]
    assert box.get(SERIES, "application/dicom").status_code == 406


@pytest.mark.parametrize("make", [implicit, deflated, jpeg_ls])
def test_files_are_converted_to_explicit_little_endian(box, make):
    data = make()
    box.store([data])
    assert parts_of(box.get(FIRST, STORED))[0][1] == data
    for accept in (DICOM, "*/*", None, f"{DICOM}; transfer-syntax={EXPLICIT}"):
        [(kind, file)] = parts_of(box.get(FIRST, accept))
        assert kind.endswith(EXPLICIT)
        read, original = pydicom.dcmread(io.BytesIO(file)), pydicom.dcmread(io.BytesIO(data))
        assert read.file_meta.TransferSyntaxUID == EXPLICIT
        assert read.PixelData == stored_values().tobytes()
        del read.PixelData, original.PixelData
        assert read.to_json_dict() == original.to_json_dict()


def test_a_syntax_that_cannot_be_had_is_406_or_a_partial_answer(box):
    strange = slice_dataset(1)
    strange.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"  # MPEG-2
    strange.PixelData = pydicom.encaps.encapsulate([b"not a film"])
    strange["PixelData"].VR = "OB"
    box.store([*head_series(1), to_bytes(strange)])
    answer = box.get(SERIES, DICOM)
    assert answer.status_code == 206
    assert "1 instances" in answer.headers["warning"]
    assert len(parts_of(answer)) == 1
    second = f"{SERIES}/instances/{STUDY}.1.2"
    assert box.get(second, DICOM).status_code == 406
    assert box.get(second, STORED).status_code == 200
    assert box.get(f"{second}/frames/1", OCTETS).status_code == 406
    assert parts_of(box.get(f"{second}/frames/1", f"{OCTETS}; transfer-syntax=*"))[0][1][:10] == b"not a film"
    assert box.get(f"{second}/rendered").status_code == 404


def test_metadata_is_what_pydicom_says(box):
    ds = slice_dataset(0, PatientName="Müller^Jörg=山田^太郎", SpecificCharacterSet="ISO_IR 192", WindowCenter=[40, 80])
    ds.add_new(0x00091001, "OB", b"\1" * 40)
    ds.add_new(0x00091002, "OB", b"\2" * 4000)
    data = to_bytes(ds)
    box.store([data])
    [told] = box.get(f"{FIRST}/metadata", "application/dicom+json").json()
    expected = pydicom.dcmread(io.BytesIO(data)).to_json_dict(1024, lambda element: f"{element.tag:08X}")
    for tag in ("7FE00010", "00091002"):
        uri = told[tag].pop("BulkDataURI")
        assert uri.startswith("http://127.0.0.1/dicom-web/studies/")
        assert uri.endswith(f"/bulkdata/{tag}")
        expected[tag].pop("BulkDataURI")
    assert told == expected
    again = pydicom.Dataset.from_json({key: value for key, value in told.items() if len(value) > 1})
    assert again.PatientName == ds.PatientName
    assert len(box.get(f"{SERIES}/metadata").json()) == 1
    assert len(box.get(f"/studies/{STUDY}/metadata").json()) == 1


def test_values_that_do_not_parse_or_are_no_json_are_left_out(box, caplog):
    ds = slice_dataset(0, SliceThickness="12345678")
    ds.add_new(0x00189073, "FD", float("nan"))
    box.store([to_bytes(ds).replace(b"12345678", b"SECRET-1")])
    [told] = box.get(f"{FIRST}/metadata").json()
    assert "00180050" not in told
    assert told["00189073"]["Value"] == [None]
    assert "1 elements do not parse" in caplog.text
    assert "SECRET" not in caplog.text


def test_long_values_are_given_as_bulk_data(box):
    inner = pydicom.Dataset()
    inner.add_new(0x00091002, "OB", b"\3" * 5000)
    ds = slice_dataset(0, ReferencedImageSequence=[inner])
    box.store([to_bytes(ds)])
    [told] = box.get(f"{FIRST}/metadata").json()
    uri = told["00081140"]["Value"][0]["00091002"]["BulkDataURI"]
    assert parts_of(box.client.get(uri))[0][1] == b"\3" * 5000
    assert parts_of(box.client.get(told["7FE00010"]["BulkDataURI"]))[0][1] == stored_values().tobytes()
    for wrong in ("00081140/7/00091002", "00100010", "00081140", "7FE00008"):
        assert box.get(f"{FIRST}/bulkdata/{wrong}").status_code == 404, wrong
    for wrong in ("x", "../../../etc/passwd", "00081140/0", "0008114/0/1"):
        assert box.get(f"{FIRST}/bulkdata/{wrong}").status_code in (400, 404), wrong


@pytest.mark.parametrize("make", [implicit, deflated, jpeg_ls])
def test_frames_are_decoded(box, make):
    box.store([make()])
    [(kind, data)] = parts_of(box.get(f"{FIRST}/frames/1", OCTETS))
    assert kind == f"application/octet-stream; transfer-syntax={EXPLICIT}"
    assert data == stored_values().tobytes()


def test_compressed_frames_come_as_stored(box):
    imagecodecs = pytest.importorskip("imagecodecs")
    box.store([jpeg_ls()])
    for accept in ('multipart/related; type="image/jls"', "multipart/related; type=image/x-jls; transfer-syntax=*"):
        answer = box.get(f"{FIRST}/frames/1", accept)
        assert 'type="image/jls"' in answer.headers["content-type"]
        [(kind, data)] = parts_of(answer)
        assert kind == f"image/jls; transfer-syntax={JPEG_LS}"
        assert (imagecodecs.jpegls_decode(data) == stored_values()).all()
    [(kind, _)] = parts_of(box.get(f"{FIRST}/frames/1", f"{OCTETS}; transfer-syntax=*"))
    assert kind == f"application/octet-stream; transfer-syntax={JPEG_LS}"
    [(kind, bulk)] = parts_of(box.get(f"{FIRST}/bulkdata/7FE00010", "*/*"))
    assert (kind, bulk) == (f"image/jls; transfer-syntax={JPEG_LS}", data)
    assert box.get(f"{FIRST}/frames/1", 'multipart/related; type="image/jp2"').status_code == 406
    assert box.get(f"{FIRST}/frames/1", "application/dicom+json").status_code == 406


def test_frames_of_a_multi_frame_image(box):
    box.store([enhanced(5)])
    parts = parts_of(box.get(f"{FIRST}/frames/5,2", OCTETS))
    assert [data for _, data in parts] == [stored_values(4).tobytes(), stored_values(1).tobytes()]
    for frames, status in (("6", 404), ("0", 400), ("1,1", 400), ("-1", 400), ("1,", 400), ("99999", 404), ("x", 400)):
        assert box.get(f"{FIRST}/frames/{frames}", OCTETS).status_code == status, frames


def test_big_endian_frames_are_turned(box):
    ds = slice_dataset(0)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    ds.PixelData = stored_values().astype(">u2").tobytes()
    buffer = io.BytesIO()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.save_as(buffer, implicit_vr=False, little_endian=False, enforce_file_format=True)
    box.store([buffer.getvalue()])
    assert parts_of(box.get(f"{FIRST}/frames/1", OCTETS))[0][1] == stored_values().tobytes()
    assert parts_of(box.get(f"{FIRST}/bulkdata/7FE00010"))[0][1] == stored_values().tobytes()
    assert box.get(FIRST, DICOM).status_code == 406


def test_pictures(box):
    cv2 = pytest.importorskip("cv2")
    box.store(head_series(3))
    png = box.get(f"{FIRST}/rendered", "image/png", window="40,80")
    assert png.headers["content-type"] == "image/png"
    picture = cv2.imdecode(np.frombuffer(png.content, np.uint8), cv2.IMREAD_UNCHANGED)
    hu = head_hu(0).astype(float)
    assert (picture == np.rint(255 * np.clip((hu - 39.5) / 79 + 0.5, 0, 1))).all()
    small = box.get(f"{SERIES}/thumbnail")
    assert small.headers["content-type"] == "image/jpeg"
    assert cv2.imdecode(np.frombuffer(small.content, np.uint8), 0).shape == (128, 128)
    assert box.get(f"{FIRST}/frames/1/rendered", viewport="20,40", quality="50").status_code == 200
    for wrong in (
        "window=1",
        "window=1,0",
        "window=nan,2",
        "viewport=0,9",
        "viewport=99999,9",
        "quality=0",
        "quality=x",
    ):
        assert box.get(f"{FIRST}/rendered?{wrong}").status_code == 400, wrong
    assert box.get(f"{FIRST}/rendered", "image/gif").status_code == 406


def test_a_coloured_capture_is_shown(box):
    cv2 = pytest.importorskip("cv2")
    rgb = np.zeros((8, 10, 3), np.uint8)
    rgb[..., 0] = 200
    ds = slice_dataset(0, Rows=8, Columns=10, SamplesPerPixel=3, PhotometricInterpretation="RGB", RescaleSlope=None)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PlanarConfiguration = 8, 8, 7, 0
    ds.PixelData = rgb.tobytes()
    ds["PixelData"].VR = "OB"
    box.store([to_bytes(ds)])
    picture = cv2.imdecode(np.frombuffer(box.get(f"{FIRST}/rendered", "image/png").content, np.uint8), cv2.IMREAD_COLOR)
    assert (picture[..., ::-1] == rgb).all()
    assert parts_of(box.get(f"{FIRST}/frames/1", OCTETS))[0][1] == rgb.tobytes()


def test_what_is_not_held_is_404_and_what_was_deleted_410(box):
    from ichscan.service.tables import Instance, Study

    assert box.get("/studies/1.2.3", STORED).status_code == 404
    assert box.get("/studies/1.2.3/metadata").status_code == 404
    box.store(head_series(1))
    assert box.get(f"/studies/{STUDY}/series/1.2/instances/1.3/frames/1", OCTETS).status_code == 404
    with box.database.write() as session:
        session.query(Study).one().images_deleted = 1.0
        (box.settings.folder / session.query(Instance).one().path).unlink()
    assert box.get(f"/studies/{STUDY}", STORED).status_code == 410


def test_a_path_of_the_database_never_leads_out_of_the_folder(box):
    from ichscan.service.tables import Instance

    box.store(head_series(1))
    (box.settings.folder.parent / "secret.dcm").write_bytes(head_series(1)[0])
    with box.database.write() as session:
        session.query(Instance).one().path = "../secret.dcm"
    assert box.get(FIRST, STORED).status_code == 404


def test_a_file_that_broke_on_the_disk_is_told(box):
    from ichscan.service.tables import Instance

    box.store(head_series(2))
    with box.database.read() as session:
        paths = [box.settings.folder / path for (path,) in session.query(Instance.path)]
    for path in paths:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - 3000])
    answer = box.get(f"{FIRST}/frames/1", OCTETS)
    assert answer.status_code == 404
    assert parts_of(box.get(FIRST, DICOM))[0][1] == paths[0].read_bytes()
    assert str(box.settings.folder) not in answer.text
    for path in paths:
        path.write_bytes(b"rubbish")
    for what in ("/frames/1", "/rendered", "/bulkdata/7FE00010"):
        answer = box.get(f"{FIRST}{what}")
        assert answer.status_code == 404
        assert str(box.settings.folder) not in answer.text
    assert box.get(f"{SERIES}/metadata").json() == []


def test_what_cannot_be_converted_is_given_as_it_is_among_others(box):
    data = jpeg_ls()
    broken = data[:-200] + b"\0" * 200
    box.store([broken, head_series(2)[1]])
    assert box.get(FIRST, DICOM).status_code == 406
    [(kind, file), (other, _)] = parts_of(box.get(SERIES, DICOM))
    assert (kind, file) == (f"application/dicom; transfer-syntax={JPEG_LS}", broken)
    assert other.endswith(EXPLICIT)


def test_a_transfer_syntax_that_is_no_uid_stays_out_of_headers(box):
    data = head_series(1)[0].replace(b"1.2.840.10008.1.2.1\0", 'é"; boundary=x;y'.encode("latin-1").ljust(20, b"z"))
    assert box.store([data]) == 200
    answer = box.get(FIRST, "application/dicom; transfer-syntax=*")
    assert answer.headers["content-type"] == "application/dicom"
    assert answer.content == data
    assert parts_of(box.get(SERIES, STORED)) == [("application/dicom", data)]
    assert box.get(FIRST, DICOM).status_code == 406
    for what in ("/frames/1", "/bulkdata/7FE00010", "/rendered", "/metadata"):
        answer = box.get(f"{FIRST}{what}", f"{OCTETS}; transfer-syntax=*")
        assert answer.status_code < 500
        assert "boundary=x" not in str(answer.headers)


def test_frames_that_claim_to_be_huge_are_not_decoded(box):
    data = jpeg_ls().replace(b"\x28\x00\x10\x00US\x02\x00\x40\x00", b"\x28\x00\x10\x00US\x02\x00\xff\xff")
    data = data.replace(b"\x28\x00\x11\x00US\x02\x00\x40\x00", b"\x28\x00\x11\x00US\x02\x00\xff\xff")
    box.store([data])
    assert box.get(FIRST, DICOM).status_code == 406
    assert box.get(f"{FIRST}/frames/1", OCTETS).status_code == 406
    assert box.get(f"{FIRST}/rendered").status_code == 404
    assert parts_of(box.get(FIRST, STORED))[0][1] == data
