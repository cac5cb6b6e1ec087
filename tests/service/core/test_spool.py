import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ichscan.errors import OutputError
from ichscan.service.capacity import HELD
from ichscan.service.disk import make_private
from ichscan.service.errors import FullError
from ichscan.service.settings import Settings, StorageSettings
from ichscan.service.spool import CHECK_BYTES, Spool, entries

SETTINGS = Settings(storage=StorageSettings(free_gb=0.0))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(SETTINGS, folder=tmp_path / "service")


def names(settings: Settings) -> list[str]:
    return sorted(os.listdir(settings.folder / "spool"))


def test_file_is_written_as_received(settings: Settings) -> None:
    path = Spool(settings).accept([b"DI", bytearray(b"CO"), memoryview(b"M")], "dimse:CT 1")
    assert path.read_bytes() == b"DICOM"
    (entry,) = entries(settings.folder)
    assert (entry.path, entry.source, entry.strikes, entry.marker) == (path, "dimse:CT 1", 0, False)
    assert path.stat().st_mode & 0o77 == 0 or path.parent.stat().st_mode & 0o77 == 0


def test_nobody_else_may_look_into_the_folder(settings: Settings) -> None:
    Spool(settings)
    settings.folder.chmod(0o755)  # as somebody may have made it beforehand
    make_private(settings.folder)
    assert settings.folder.stat().st_mode & 0o777 == 0o700
    assert (settings.folder / "spool").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("source", ["upload:../../etc/passwd", "stow:Zoë/\0", "x" * 500, "", "dimse:A-B.C_D", "\ud800"])
def test_source_never_becomes_a_path(settings: Settings, source: str) -> None:
    path = Spool(settings).accept([b"1"], source)
    assert path.parent == settings.folder / "spool"
    (entry,) = entries(settings.folder)
    assert entry.source == source.encode("utf-8", "replace")[:96].decode("utf-8", "ignore")


def test_order_is_that_of_acceptance_though_the_clock_goes_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(settings)
    clock = iter([5_000, 4_000, 3_000, 9_000])
    monkeypatch.setattr("ichscan.service.spool.time.time_ns", lambda: next(clock))
    paths = [spool.accept([b"1"], "dimse:A"), spool.accept([b"2"], "dimse:A")]
    spool.finished(["1.2"], "dimse:A")
    paths.append(spool.accept([b"3"], "dimse:A"))
    found = entries(settings.folder)
    assert [one.marker for one in found] == [False, False, True, False]
    assert [one.path for one in found if not one.marker] == paths


def test_marker_without_studies_is_not_written(settings: Settings) -> None:
    Spool(settings).finished([], "dimse:A")
    assert names(settings) == []


def test_sender_that_breaks_off_leaves_nothing(settings: Settings) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half a "
        assert [name[-5:] for name in names(settings)] == [".part"]
        raise ConnectionResetError("peer")

    with pytest.raises(ConnectionResetError):
        Spool(settings).accept(chunks(), "dimse:A")
    assert names(settings) == []


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, FullError), (errno.EDQUOT, FullError), (errno.EIO, OutputError)]
)
def test_failing_disk_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[OutputError]
) -> None:
    def write(handle: int, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    spool = Spool(settings)
    monkeypatch.setattr("ichscan.service.spool.os.write", write)
    with pytest.raises(OutputError, match="cannot be written") as error:
        spool.accept([b"1"], "dimse:A")
    assert type(error.value) is kind
    assert names(settings) == []


def test_short_writes_are_completed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    spool = Spool(settings)
    monkeypatch.setattr("ichscan.service.spool.os.write", lambda handle, data: write(handle, data[:3]))
    assert spool.accept([b"0123456789"], "dimse:A").read_bytes() == b"0123456789"


def test_durable_flushes_file_and_folder(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    fsync = os.fsync

    def watch(handle: int) -> None:
        flushed.append(os.path.isdir(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    Spool(settings).accept([b"1"], "dimse:A")
    assert flushed == []
    Spool(replace(settings, storage=StorageSettings(free_gb=0.0, durable=True))).accept([b"1"], "dimse:A")
    assert flushed == [False, True]


def test_too_little_free_space_is_refused_before_anything_is_written(settings: Settings) -> None:
    full = replace(settings, storage=StorageSettings(free_gb=1e9))
    with pytest.raises(FullError, match="to stay free on the disk"):
        Spool(full).accept([b"1"], "dimse:A")
    assert names(settings) == []


def test_limit_of_what_is_held_is_kept_within_one_second(settings: Settings) -> None:
    limited = replace(settings, storage=StorageSettings(free_gb=0.0, limit_gb=1e-6))  # 1000 bytes
    spool = Spool(limited)
    for _ in range(10):
        spool.accept([b"x" * 100], "dimse:A")
    spool.accept([b"x"], "dimse:A")
    with pytest.raises(FullError, match="at most 1e-06 GB of images"):
        spool.accept([b"x"], "dimse:A")
    (settings.folder / HELD).write_text("999")
    again = Spool(limited)
    again.accept([b"x"], "dimse:A")
    again.accept([b"x"], "dimse:A")
    with pytest.raises(FullError):
        again.accept([b"x"], "dimse:A")


def test_endless_file_is_ended_by_the_limits(settings: Settings) -> None:
    spool = Spool(replace(settings, storage=StorageSettings(free_gb=0.0, limit_gb=0.01)))

    def endless() -> Iterator[bytes]:
        chunk = b"\0" * (CHECK_BYTES // 8)
        while True:
            yield chunk

    with pytest.raises(FullError):
        spool.accept(endless(), "dimse:A")
    assert names(settings) == []


def test_end_of_a_real_disk_is_told_as_full(settings: Settings) -> None:
    settings.folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", settings.folder], capture_output=True
    ).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        spool = Spool(settings)
        taken: list[Path] = []

        def fill() -> None:
            while len(taken) < 100:
                taken.append(spool.accept([b"x" * 50_000], "dimse:A"))

        with pytest.raises(FullError):
            fill()
        assert len(taken) >= 15
        assert [one.path for one in entries(settings.folder)] == taken
        assert all(path.stat().st_size == 50_000 for path in taken)
        assert len(names(settings)) == len(taken)
        taken[0].unlink()
        spool.accept([b"x" * 40_000], "dimse:A")
    finally:
        subprocess.run(["umount", settings.folder], check=True)


def test_limit_on_file_size_is_told_as_full(settings: Settings) -> None:
    pytest.importorskip("resource")
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from ichscan.service.settings import *; from ichscan.service.spool import Spool\n"
        "from ichscan.service.errors import FullError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "spool = Spool(Settings(folder=Path(sys.argv[1]), storage=StorageSettings(free_gb=0.0)))\n"
        "try: spool.accept([b'x' * 5000], 'dimse:A')\n"
        "except FullError: sys.exit(42)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(settings.folder)], timeout=60).returncode == 42
    assert names(settings) == []


def test_foreign_names_are_taken_and_half_written_ones_are_not(settings: Settings) -> None:
    Spool(settings)
    for name in ("scan.dcm", "a-b-?.0.dcm", "1-2-3.x.dcm", "x.part", "registrar.lock", "reading"):
        (settings.folder / "spool" / name).write_bytes(b"")
    assert [(one.path.name, one.source) for one in entries(settings.folder)] == [
        ("1-2-3.x.dcm", "unknown"),
        ("a-b-?.0.dcm", "unknown"),
        ("scan.dcm", "unknown"),
    ]
