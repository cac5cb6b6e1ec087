"""The multipart reader: whatever the chunks are, the parts are the same; whatever the bytes are, it ends."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="needs the extra serve")

from ichscan.errors import InputError
from ichscan.service.dicomweb.media import parse_accept, parse_type
from ichscan.service.dicomweb.multipart import read_parts, write_parts

BOUNDARY = "a-b"
PIECES = [
    b"\r\n",
    b"--",
    b"--a-b",
    b"\r\n--a-b",
    b"--a-b--",
    b"-",
    b"\r",
    b"\n",
    b"a",
    b"X: y\r\n",
    b"\r\n\r\n",
    b"\0" * 40,
]


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    return [*chunks, data[at:]]


def read(chunks: list[bytes]) -> list[tuple[dict[str, str], bytes]]:
    return [(dict(part.headers), b"".join(part.body)) for part in read_parts(chunks, BOUNDARY)]


BODY = (
    b"preamble\r\n--a-b\r\nContent-Type: application/dicom\r\n\r\nHELLO\r\n--a- not\r\n"
    b"--a-b \t\r\n\r\n\r\n--a-b\r\nA: b\r\nC:d \r\n\r\n\r\n\r\n--a-b--\r\nepilogue"
)
PARTS = [({"content-type": "application/dicom"}, b"HELLO\r\n--a- not"), ({}, b""), ({"a": "b", "c": "d"}, b"\r\n")]


@pytest.mark.parametrize("size", range(1, 40))
def test_parts_do_not_depend_on_chunks(size):
    assert read([BODY[i : i + size] for i in range(0, len(BODY), size)]) == PARTS


@given(st.lists(st.integers(0, 30), max_size=20))
def test_parts_do_not_depend_on_chunks_of_any_sizes(sizes):
    assert read(cut(BODY, sizes)) == PARTS


@given(st.lists(st.lists(st.sampled_from(PIECES[:3] + PIECES[5:]), max_size=8).map(b"".join), max_size=4))
def test_what_is_written_is_read(bodies):
    bodies = [body for body in bodies if b"\r\n--a-b" not in b"\r\n" + body]
    chunks = list(write_parts([("text/x", [body]) for body in bodies], BOUNDARY))
    if not bodies:
        assert read(chunks) == []
    else:
        assert read(chunks) == [({"content-type": "text/x"}, body) for body in bodies]


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.lists(st.integers(0, 9), max_size=12))
@settings(max_examples=300)
def test_any_bytes_end_in_parts_or_in_an_input_error(pieces, sizes):
    whole, cut_up = [], []
    for target, chunks in ((whole, [b"".join(pieces)]), (cut_up, cut(b"".join(pieces), sizes))):
        try:
            target.extend(read(chunks))
        except InputError as error:
            target.append(str(error)[:9])
    assert whole == cut_up


def test_a_body_is_never_held_as_a_whole():
    chunk = b"x" * 65536
    body = ([b"--a-b\r\n\r\n"], [chunk] * 200, [b"\r\n--a-b--"])
    [part] = [
        (max(map(len, seen)), sum(map(len, seen)))
        for one in read_parts((piece for pieces in body for piece in pieces), BOUNDARY)
        for seen in [list(one.body)]
    ]
    assert part == (max(part[0], 0), 200 * 65536)
    assert part[0] < 3 * 65536


def test_a_part_that_is_not_read_is_passed_over():
    assert [dict(part.headers) for part in read_parts([BODY], BOUNDARY)] == [headers for headers, _ in PARTS]


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_any_header_is_a_type_or_an_input_error(text):
    for parse in (parse_type, parse_accept):
        with contextlib.suppress(InputError):
            parse(text)


def test_headers_of_real_clients_are_understood():
    [best, second] = parse_accept('multipart/related;type="a/b"; transfer-syntax=*;q=0.5, multipart/related; type=c/d')
    assert (best.inner, best.transfer_syntax, second.inner, second.transfer_syntax) == ("c/d", "", "a/b", "*")
    assert parse_type('multipart/related; boundary="x \\"y"; type=application/dicom').parameters["boundary"] == 'x "y'
