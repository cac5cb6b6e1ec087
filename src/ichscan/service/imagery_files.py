"""The worker's side of `ichscan.service.imagery`: slices, heat and their index are written once per analysis."""

import gzip
import json
import os
import threading
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.errors import OutputError
from ichscan.explain.heat import Heat, heat, inside_head
from ichscan.explain.overlay import flipped_axes
from ichscan.labels import LABELS
from ichscan.report.findings import ABSENT
from ichscan.report.viewer_pixels import HEAT_SIDE
from ichscan.report.write import write_atomically
from ichscan.service.imagery import INDEX
from ichscan.types import Int16, Report, Volume

PRESETS: Final = (
    {"name": "brain", "centre": 40, "width": 80},
    {"name": "subdural", "centre": 80, "width": 200},
    {"name": "soft tissue", "centre": 40, "width": 380},
    {"name": "bone", "centre": 500, "width": 2000},
)
LEVEL: Final = 1
"""Of deflate. HU are noisy: higher levels save 5 % for three times the time."""
THREADS: Final = 2
LETTERS: Final = {"+x": "L", "-x": "R", "+y": "P", "-y": "A", "+z": "H", "-z": "F"}
"""Of patient-based directions, LPS (PS3.3 C.7.6.1.1.1)."""


def series_entry(report: Report, volume: Volume | None, told: dict[str, Any]) -> dict[str, Any]:
    """What the viewer knows of one series: JSON types.

    Args:
        report: of the series.
        volume: None when it was not analysed; the entry then has no slices.
        told: its object of `ichscan.result/1` with findings.
    """
    entry: dict[str, Any] = {
        "series_instance_uid": told["series_instance_uid"],
        "description": told.get("findings", {}).get("series_description", ""),
        "reason": told["reason"],
        "warnings": told["warnings"],
        "slices": [],
    }
    if volume is None or report.prediction is None:
        return entry
    rows, cols = volume.hu.shape[1:]
    return entry | {
        "rows": rows,
        "cols": cols,
        "spacing_mm": None if volume.spacing_mm is None else list(volume.spacing_mm),
        "orientation": None if volume.orientation is None else list(volume.orientation),
        "sides": sides(volume.orientation),
        "flipped_axes": list(flipped_axes(volume)),
        "presets": list(PRESETS),
        "labels": list(told["scan"]),
        "scan": told["scan"],
        "slice_thresholds": told["findings"]["slice_thresholds"],
        "findings": told["findings"]["labels"],
        "slices": [
            {
                "index": i,
                "sop_instance_uid": one["sop_instance_uid"],
                "position_mm": one["position_mm"],
                "probabilities": one["probabilities"],
            }
            for i, one in enumerate(told["slices"])
        ],
        "heat": {},
    }


def sides(orientation: Sequence[float] | None) -> dict[str, str] | None:
    """Letters at the edges of a slice as acquired: {"left", "right", "top", "bottom"}; None when not recorded.

    Args:
        orientation: ImageOrientationPatient (0020,0037), LPS direction cosines of a row and of a column.
    """
    if orientation is None:
        return None
    right, bottom = _letter(orientation[:3]), _letter(orientation[3:])
    opposite = {"L": "R", "R": "L", "P": "A", "A": "P", "H": "F", "F": "H"}
    return {"left": opposite[right], "right": right, "top": opposite[bottom], "bottom": bottom}


def _letter(direction: Sequence[float]) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return LETTERS[("+" if direction[axis] >= 0 else "-") + "xyz"[axis]]


def write_index(folder: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Writes imagery.json. Raises OutputError."""
    write_atomically(folder / INDEX, json.dumps(list(entries), allow_nan=False).encode("utf-8"))


def write_slices(folder: Path, number: int, hu: Int16) -> None:
    """Writes `<number>.zip` with the slices of one series, int16 (slices, rows, cols) HU.

    Raises:
        OutputError: disk full, no permission.
    """
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), "ichscan-slices") as pool:
        packed = pool.map(lambda one: gzip.compress(one.astype("<i2").tobytes(), LEVEL, mtime=0), hu)
        _write_zip(folder / f"{number}.zip", ((str(i), data) for i, data in enumerate(packed)))


def write_heat(folder: Path, number: int, report: Report, volume: Volume, states: dict[str, str]) -> dict[str, Any]:
    """Writes `heat-<number>.zip`: heat of the labels that are not absent, on slices that have any.

    Args:
        folder: of the result.
        number: of the series.
        report: analysed, with maps.
        volume: of the same series.
        states: label -> "present", "uncertain" or "absent".

    Returns:
        Label -> indices of the slices with heat.

    Raises:
        OutputError: disk full, no permission.
    """
    prediction = report.prediction
    labels = [label for label in LABELS if states.get(label, ABSENT) != ABSENT]
    if prediction is None or not labels:
        return {}
    inside = inside_head(volume, prediction)
    members: list[tuple[str, bytes]] = []
    found: dict[str, Any] = {}
    for label in labels:
        hot = heat(volume, prediction, LABELS.index(label), inside)
        for i in map(int, np.flatnonzero(hot.maps.any(axis=(1, 2)))):
            grey = _grey(hot, i)
            if grey.any():
                found.setdefault(label, []).append(i)
                members.append((f"{label}-{i}", gzip.compress(grey.tobytes(), 6, mtime=0)))
    if members:
        _write_zip(folder / f"heat-{number}.zip", members)
    return found


def _grey(hot: Heat, index: int) -> NDArray[np.uint8]:
    """Heat of one slice, uint8 (`HEAT_SIDE`, `HEAT_SIDE`) over the whole slice: it is as smooth as the maps."""
    small = cv2.resize(hot.on(index), (HEAT_SIDE, HEAT_SIDE), interpolation=cv2.INTER_AREA)
    return np.rint(255 * np.clip(small, 0, 1)).astype(np.uint8)


def _write_zip(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """A zip archive that appears whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members:
                archive.writestr(zipfile.ZipInfo(name), data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}); free space on this disk") from error
