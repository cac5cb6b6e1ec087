"""A node on a free port, its spool, and the programs of dcmtk that call it."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ichscan.service.node import Node
from ichscan.service.settings import DicomSettings, Settings, StorageSettings
from ichscan.service.spool import Spool, entries

STORAGE = StorageSettings(free_gb=0.0)
Start = Callable[..., "Box"]


class Box:
    """A running node. Settings of `dicom` are given by name; `storage` is that of the service."""

    def __init__(self, folder: Path, storage: StorageSettings = STORAGE, **dicom: Any) -> None:
        told = {"port": 0, "idle_s": 5.0, **dicom}
        self.settings = Settings(folder=folder, dicom=DicomSettings(**told), storage=storage)
        self.refusals: list[tuple[str, str]] = []
        self.node = Node(self.settings, Spool(self.settings), lambda *told: self.refusals.append(told))
        self.node.start()

    @property
    def images(self) -> list[Path]:
        return [one.path for one in entries(self.settings.folder) if not one.marker]

    @property
    def markers(self) -> list[list[str]]:
        found = [one.path for one in entries(self.settings.folder) if one.marker]
        return [json.loads(path.read_text()) for path in found]

    @property
    def leftovers(self) -> list[Path]:
        return list((self.settings.folder / "spool").glob("*.part"))

    def call(self, program: str, *arguments: str | Path, aet: str = "SCANNER", aec: str = "ICHSCAN") -> tuple[int, str]:
        """Exit code and all output of a program of dcmtk."""
        found = shutil.which(program)
        if found is None:
            pytest.skip(f"{program} is not installed (Debian's package dcmtk)")
        options = [str(one) for one in arguments if not isinstance(one, Path)]
        files = [str(one) for one in arguments if isinstance(one, Path)]
        command = [found, "-aet", aet, "-aec", aec, "-v", *options, "127.0.0.1", str(self.node.port), *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def echo(self) -> bool:
        return self.call("echoscu")[0] == 0

    def quiet(self) -> bool:
        """Whether all associations end within two seconds."""
        return until(lambda: not self.node.associations)


def until(true: Callable[[], bool], seconds: float = 2.0) -> bool:
    """Waits until something is true; whether it became so."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def data_set_of(file: bytes) -> bytes:
    """What follows the File Meta Information."""
    length = int.from_bytes(file[140:144], "little")
    return file[144 + length :]
