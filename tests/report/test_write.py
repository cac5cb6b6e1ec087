"""Files appear whole or not at all, under names that cannot do harm."""

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ichscan.errors import OutputError
from ichscan.report.write import file_stem, make_folder, write_atomically


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_disk_full_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    target = tmp_path / "r.json"
    write_atomically(target, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, function, full)
    with pytest.raises(OutputError, match=r"r\.json: cannot be written \(No space left.*free space"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["r.json"]


def test_missing_folder_and_file_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomically(tmp_path / "absent" / "r.json", b"")
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomically(tmp_path, b"")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        make_folder(tmp_path / "file" / "sub")


def test_readable_by_whom_the_umask_says(tmp_path: Path) -> None:
    write_atomically(tmp_path / "r.json", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("r.json", "plain")]
    assert modes[0] == modes[1]


def test_devices_and_links_are_written_to_not_replaced(tmp_path: Path) -> None:
    write_atomically(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


@given(
    st.lists(st.text(max_size=80) | st.sampled_from(["", "1.2.3", "../../etc", "CON", "a/b", "1.2.3-2"]), max_size=8)
)
def test_names_are_safe_and_distinct(uids: list[str]) -> None:
    taken: set[str] = set()
    stems = [file_stem(uid, taken) for uid in uids]
    assert len({stem.lower() for stem in stems}) == len(uids)
    for stem in stems:
        assert stem.isascii()
        assert Path(stem).name == stem
        assert not stem.startswith((".", "-"))
        assert len(stem) <= 70


def test_a_uid_is_its_own_name() -> None:
    assert file_stem("1.2.840.113619", set()) == "1.2.840.113619"
