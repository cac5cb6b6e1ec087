"""Studies to send, and the programs that send them at once."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pydicom

from ichscan.demo import write_demo

ASSOCIATIONS = 4
SLICES = 36
ROOT = "1.2.826.0.1.3680043.8.498"
PLACE = "7000000"
"""In the UIDs of the templates; replaced by the number of the study, which is as long."""


def write_studies(folder: Path, studies: int) -> list[Path]:
    """Folders of the associations. Each study is the bundled head with a simulated bleed, in 36 slices of 512 x 512."""
    kinds = [path for path in write_demo(folder / "demo") if path.name.startswith("simulated-")]
    templates = [_template(kind) for kind in kinds]
    shares = [folder / f"association-{i}" for i in range(ASSOCIATIONS)]
    for number in range(studies):
        study = shares[number % ASSOCIATIONS] / str(number)
        study.mkdir(parents=True)
        name = str(int(PLACE) + 1 + number).encode()
        for i, template in enumerate(templates[number % len(templates)]):
            (study / f"{i:02d}").write_bytes(template.replace(PLACE.encode(), name))
    shutil.rmtree(folder / "demo")
    return shares


def _template(kind: Path) -> list[bytes]:
    slices = sorted(map(pydicom.dcmread, kind.iterdir()), key=lambda one: float(one.ImagePositionPatient[2]))
    first, last = (np.array(one.ImagePositionPatient, float) for one in (slices[0], slices[-1]))
    made = []
    for i in range(SLICES):
        one = slices[i * len(slices) // SLICES]
        one.StudyInstanceUID, one.SeriesInstanceUID = f"{ROOT}.{PLACE}", f"{ROOT}.{PLACE}.1"
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{PLACE}.1.{i + 1}"
        one.PatientID, one.InstanceNumber = f"BENCHMARK{PLACE}", i + 1
        place = first + (last - first) * i / (SLICES - 1)
        one.ImagePositionPatient = [f"{value:.4f}" for value in place]
        target = kind / "template"
        one.save_as(target)
        made.append(target.read_bytes())
    return made


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed (Debian's package dcmtk)")
    return found


def send(shares: list[Path], port: int, *, no_delay: bool) -> float:
    """Sends each share over an association of its own, all at once; returns seconds.

    With `no_delay` the senders set TCP_NODELAY, which dcmtk does not do by itself.
    """
    command = [program("storescu"), "-q", "-aec", "ICHSCAN", "+sd", "+r", "127.0.0.1", str(port)]
    begin = time.perf_counter()
    senders = [subprocess.Popen([*command, str(share)], env=environment(no_delay)) for share in shares]
    codes = [one.wait() for one in senders]
    seconds = time.perf_counter() - begin
    if any(codes):
        raise SystemExit(f"a sender failed: exit codes {codes}")
    return seconds


def environment(no_delay: bool) -> dict[str, str]:
    """For programs of dcmtk: TCP_NODELAY=1 is how they are told."""
    return os.environ | ({"TCP_NODELAY": "1"} if no_delay else {})
