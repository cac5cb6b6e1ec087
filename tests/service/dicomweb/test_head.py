"""Identifiers from the first bytes, however they come, and whatever they are."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="needs the extra serve")

from tests.dicom_builders import CT, STUDY, deflated, enhanced, head_series, implicit

from ichscan.errors import InputError
from ichscan.service.dicomweb.head import Head, read_head
from ichscan.service.identify import identify

FILE = head_series(1)[0]
HEAD = Head(CT, f"{STUDY}.1.1", STUDY, f"{STUDY}.1")


@pytest.mark.parametrize(
    "file", [FILE, implicit(0), deflated(0), enhanced(3)], ids=["explicit", "implicit", "deflated", "enhanced"]
)
@pytest.mark.parametrize("size", [1, 100, 5000, 10**6])
def test_the_head_and_all_bytes_come_out(file, size, tmp_path):
    head, body = read_head(file[i : i + size] for i in range(0, len(file), size))
    assert (head.sop_instance, head.study, head.series) == (HEAD.sop_instance, HEAD.study, HEAD.series)
    assert b"".join(body) == file
    (tmp_path / "one.dcm").write_bytes(file)
    later = identify(tmp_path / "one.dcm")
    assert (head.sop_class, head.sop_instance, head.study, head.series) == (
        later.sop_class_uid, later.sop_instance_uid, later.study_instance_uid, later.series_instance_uid,
    )  # fmt: skip


def test_every_truncation_is_refused_until_all_identifiers_are_there():
    for end in range(0, 900):
        try:
            head, _ = read_head(iter([FILE[:end]]))
        except InputError:
            continue
        assert head == HEAD, end
        assert end > FILE.index(f"{STUDY}.1".encode())


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_altered_bytes_end_in_a_head_or_in_an_input_error(random_: random.Random):
    data = bytearray(FILE[:1200])
    for _ in range(random_.randint(1, 12)):
        data[random_.randrange(128, len(data))] = random_.randrange(256)
    told = ""
    try:
        read_head(iter([bytes(data)]))
    except InputError as error:
        told = str(error)
    assert "SECRET" not in told
