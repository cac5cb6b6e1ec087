"""UIDs are found as pydicom finds them, in any transfer syntax and whatever precedes them."""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID
from tests.dicom_builders import CT, STUDY, deflated, implicit, slice_dataset, to_bytes
from tests.service.node.box import data_set_of

from ichscan.errors import InputError
from ichscan.service.node.identifiers import MOST_ELEMENTS, Identifiers, read_identifiers

EXPLICIT, IMPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{end}" for end in (".1", "", ".2", ".1.99"))
RIGHT = Identifiers(CT, f"{STUDY}.1.1", STUDY, f"{STUDY}.1")


def encoded(ds: Dataset, syntax: str, *, undefined: bool = False) -> bytes:
    ds.is_undefined_length_sequence_item = undefined
    buffer = io.BytesIO()
    kind = UID(syntax)
    bare = Dataset(ds)
    bare.save_as(buffer, implicit_vr=kind.is_implicit_VR, little_endian=kind.is_little_endian)
    return buffer.getvalue()


def with_sequences(*, undefined: bool) -> Dataset:
    """Sequences before the Study Instance UID which hold UIDs that are not meant."""
    ds = slice_dataset()
    inner = Dataset()
    inner.StudyInstanceUID, inner.SOPInstanceUID = "9.9", "9.8"
    outer = Dataset()
    outer.ReferencedSOPClassUID, outer.ReferencedInstanceSequence = "9.7", Sequence([inner, inner])
    ds.ReferencedStudySequence = Sequence([outer, inner])
    for one in (inner, outer):
        one.is_undefined_length_sequence_item = undefined
    ds["ReferencedStudySequence"].is_undefined_length = undefined
    outer["ReferencedInstanceSequence"].is_undefined_length = undefined
    return ds


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("undefined", [False, True])
def test_found_beside_sequences(syntax: str, undefined: bool) -> None:
    data = encoded(with_sequences(undefined=undefined), syntax)
    assert (b"\xff\xff\xff\xff" in data[:800]) == undefined
    assert read_identifiers(data, syntax) == RIGHT
    assert read_identifiers(memoryview(data), syntax) == RIGHT


@pytest.mark.parametrize(("file", "syntax"), [(deflated(), DEFLATED), (implicit(), IMPLICIT)])
def test_found_in_files_of_other_syntaxes(file: bytes, syntax: str) -> None:
    assert read_identifiers(data_set_of(file), syntax) == RIGHT


def test_unknown_sequences_of_undefined_length_hold_implicit_vr() -> None:
    inner = struct.pack("<HHI4s", 0x0009, 0x1002, 4, b"abcd")
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    unknown = struct.pack("<HH2sHI", 0x0009, 0x1001, b"UN", 0, 0xFFFFFFFF) + item
    unknown += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    data = encoded(slice_dataset(), EXPLICIT)
    at = data.index(struct.pack("<HH", 0x0010, 0x0010))
    assert read_identifiers(data[:at] + unknown + data[at:], EXPLICIT) == RIGHT


def test_implicit_elements_within_explicit_data_are_stepped_over() -> None:
    data = encoded(slice_dataset(), EXPLICIT)
    at = data.index(struct.pack("<HH", 0x0010, 0x0010))
    stray = struct.pack("<HHI4s", 0x0009, 0x1001, 4, b"abcd")
    assert read_identifiers(data[:at] + stray + data[at:], EXPLICIT) == RIGHT


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("value", [None, "", "../../etc/passwd", "1.2\\3", "1.2/3", "1" * 65, "1.", "1..2", "."])
def test_what_is_no_uid_is_refused(keyword: str, value: str | None) -> None:
    data = encoded(slice_dataset(0, None, **{keyword: value}), EXPLICIT)
    with pytest.raises(InputError, match="expected digits and dots"):
        read_identifiers(data, EXPLICIT)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_data_that_breaks_off_is_refused(syntax: str) -> None:
    data = encoded(with_sequences(undefined=True), syntax)
    enough = data.index(f"{STUDY}.1".encode(), data.index(struct.pack("<HH" if syntax != BIG else ">HH", 0x20, 0xE)))
    enough += len(f"{STUDY}.1")
    for end in range(enough):
        with pytest.raises(InputError):
            read_identifiers(data[:end], syntax)


def test_a_sender_cannot_keep_it_busy() -> None:
    element = struct.pack("<HH2sH", 0x0008, 0x0001, b"UI", 0)
    with pytest.raises(InputError, match=f"within {MOST_ELEMENTS} elements"):
        read_identifiers(element * (MOST_ELEMENTS + 1), EXPLICIT)
    bomb = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    with pytest.raises(InputError):
        read_identifiers(bomb.compress(bytes(100 << 20)) + bomb.flush(), DEFLATED)
    with pytest.raises(InputError, match="deflated"):
        read_identifiers(b"\xff" * 100, DEFLATED)


@given(st.binary(max_size=300), st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED]))
def test_random_bytes_are_refused(data: bytes, syntax: str) -> None:
    with pytest.raises(InputError):
        read_identifiers(data, syntax)


@settings(max_examples=200)
@given(st.data())
def test_altered_bytes_are_refused_or_read_as_uids(data: st.DataObject) -> None:
    original = bytearray(encoded(with_sequences(undefined=True), EXPLICIT)[:900])
    for at in data.draw(st.lists(st.integers(0, 899), min_size=1, max_size=8)):
        original[at] = data.draw(st.integers(0, 255))
    try:
        found = read_identifiers(bytes(original), EXPLICIT)
    except InputError:
        return
    assert all(set(one) <= set("0123456789.") for one in (found.sop_class, found.study, found.series))


def test_the_file_head_is_what_pydicom_reads() -> None:
    from ichscan.service.node.meta import IMPLEMENTATION_VERSION_NAME, file_head

    data = data_set_of(to_bytes(slice_dataset()))
    read = dcmread(io.BytesIO(file_head(CT, "1.2.3", EXPLICIT, "SCANNER") + data))
    meta = read.file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, "1.2.3")
    assert (meta.TransferSyntaxUID, meta.SourceApplicationEntityTitle) == (EXPLICIT, "SCANNER")
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert read.SOPInstanceUID == RIGHT.sop_instance


def test_the_node_is_the_implementation_that_results_name() -> None:
    pytest.importorskip("highdicom", reason="the extra report is not installed")
    from ichscan.report.dicom.identity import derived_uid
    from ichscan.service.node.meta import IMPLEMENTATION_CLASS_UID

    assert derived_uid("ichscan implementation") == IMPLEMENTATION_CLASS_UID
