"""The list of members of large archives, against zipfile."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ichscan.datasets.bigzip import EntrySource, entries
from ichscan.errors import DataError, UnreadableFileError

NAMES = st.text("abcäß/._-1", min_size=1, max_size=12).filter(lambda name: not name.startswith("/"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(NAMES, st.binary(max_size=300), max_size=12),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    st.booleans(),
    st.binary(max_size=50),
)
def test_members_are_those_of_zipfile(
    tmp_path: Path, files: dict[str, bytes], method: int, wide: bool, comment: bytes
) -> None:
    path = tmp_path / "a.zip"
    with pytest.MonkeyPatch.context() as patch:
        if wide:  # what archives of 4 GiB or 65,536 members have
            patch.setattr(zipfile, "ZIP64_LIMIT", 100)
            patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.comment = comment.replace(b"PK", b"xx")
            for name, data in files.items():
                archive.writestr(name, data)
    found = {entry.name: EntrySource(path, entry).read() for entry in entries(path)}
    assert found == {name: data for name, data in files.items() if not name.endswith("/")}


def packed(path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a/b.dcm", b"x" * 1000)
    return path


def test_a_source_names_its_place(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip")
    source = EntrySource(path, next(entries(path)))
    assert (source.name, source.folder, source.size) == ("a.zip!/a/b.dcm", "a.zip!/a", 1000)
    assert source.open().read(3) == b"xxx"
    assert source.read(990) == b"x" * 10


def test_an_unusual_packing_is_named(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", zipfile.ZIP_BZIP2)
    with pytest.raises(UnreadableFileError, match="method 12"):
        EntrySource(path, next(entries(path))).read()


def test_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * (8 << 20))
    (entry,) = entries(path)
    object.__setattr__(entry, "size", 10)
    with pytest.raises(UnreadableFileError, match="cannot be unpacked"):
        EntrySource(path, entry).read()


def test_a_damaged_directory_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02")] = 0
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        list(entries(path))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no end of one"):
        list(entries(tmp_path / "a.zip"))
    with pytest.raises(DataError, match="cannot be read"):
        list(entries(tmp_path / "b.zip"))
