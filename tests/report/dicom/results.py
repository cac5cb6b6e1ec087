"""Findings with everything that results are made of, for series made in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ichscan.dicom import Series, load_volume, open_series
from ichscan.labels import ANY, LABELS
from ichscan.report.dicom import SourceSeries, read_source
from ichscan.report.findings import Finding, Findings, Place
from ichscan.types import ModelIdentity, Prediction, Volume

MODEL = ModelIdentity("test-model", "1.2.3", "ab" * 32)
AT = (3, 20, 40)
"""Slice, row and column of the lesion, of 6 x 64 x 64."""


@dataclass(frozen=True)
class Case:
    findings: Findings
    source: SourceSeries
    volume: Volume
    prediction: Prediction


def write_files(folder: Path, files: list[bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(files):
        (folder / f"{number}.dcm").write_bytes(data)
    return folder


def first_series(path: Path) -> Series:
    """The first that is to be analysed; the first of all when none is."""
    intake = open_series([path])
    return (intake.chosen or intake.series)[0]


def case_of(path: Path) -> Case:
    """The first series below `path` with a lesion at `AT`."""
    volume = load_volume(first_series(path), force=True)
    return Case(_findings(volume), read_source(volume.files, volume), volume, _prediction(volume))


def place_in(volume: Volume) -> Place:
    """Where the lesion is, by PS3.3 C.7.6.2.1.1 equation 1."""
    index, row, column = min(AT[0], len(volume.hu) - 1), AT[1], AT[2]
    if volume.origins is None or volume.orientation is None or volume.spacing_mm is None:
        return Place(index, row, column, None)
    along_row, along_column = np.array(volume.orientation[:3]), np.array(volume.orientation[3:])
    at = volume.origins[index] + along_row * volume.spacing_mm[1] * column + along_column * volume.spacing_mm[0] * row
    return Place(index, row, column, (float(at[0]), float(at[1]), float(at[2])))


def _findings(volume: Volume) -> Findings:
    place = place_in(volume)
    strongest = place.slice_index
    found = [Finding(label, "absent", 0.01, 0.5, (), 0, None, "") for label in LABELS]
    for label, side in (("subdural", "left"), ("any", "left")):
        index = LABELS.index(label)
        found[index] = Finding(label, "present", 0.9, 0.5, (strongest,), strongest, place, side)
    found[0] = Finding("epidural", "uncertain", 0.4, 0.5, (), strongest, place, "")
    probabilities = _prediction(volume).slices
    return Findings(
        analysed=True,
        reason="",
        study_instance_uid=volume.study_instance_uid,
        series_instance_uid=volume.series_instance_uid,
        series_description="CT",
        findings=tuple(found),
        slice_probabilities=tuple(tuple(float(p) for p in row) for row in probabilities),
        slice_thresholds=(0.5,) * 6,
        positions_mm=tuple(float(p) for p in volume.positions_mm),
        sop_instance_uids=volume.sop_instance_uids,
        not_assessed=("Fractures are not assessed.",),
        warnings=("The head is tilted by 3°.",),
        model=MODEL,
    )


def _prediction(volume: Volume) -> Prediction:
    """Maps of a cell per 4 pixels, 1 where the lesion is."""
    count, rows, columns = volume.hu.shape
    side = max(rows, columns)
    strongest = min(AT[0], count - 1)
    slices = np.full((count, 6), 0.01, np.float32)
    slices[strongest, [LABELS.index("subdural"), ANY]] = 0.9
    maps = np.full((count, 6, side // 4, side // 4), -9, np.float32)
    maps[strongest, :, AT[1] // 4, AT[2] // 4] = 30
    half = np.full(6, 0.5, np.float32)
    boxes = np.tile(np.array([0, 0, side], np.int32), (count, 1))
    return Prediction(slices, slices.max(axis=0), half, half, MODEL, np.maximum(maps, 0), boxes, lesion_maps=maps)
