"""Studies for tests of the pages: the packaged head and simulated bleeds, analysed, and rows without images."""

import gzip
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ichscan.demo import write_demo
from ichscan.explain.heat import heat, widened
from ichscan.labels import LABELS
from ichscan.pipeline import examine
from ichscan.report.files import SeriesWriter, skull
from ichscan.report.findings import ABSENT
from ichscan.types import Report, Volume

HEAT_SIDE = 128
CONTENT_TYPES = {".json": "application/json", ".html": "text/html", ".txt": "text/plain", ".png": "image/png"}


@dataclass
class FakeSeries:
    """One entry of GET /api/studies/{id}/images and what its URLs answer."""

    told: dict[str, Any]
    slices: list[bytes] = field(default_factory=list)
    heat: dict[tuple[str, int], bytes] = field(default_factory=dict)


@dataclass
class FakeStudy:
    """One row of the worklist."""

    row: dict[str, Any]
    series: list[FakeSeries] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    feedback: list[dict[str, Any]] = field(default_factory=list)


def row(number: int, name: str, **more: Any) -> dict[str, Any]:
    """A row of the worklist with everything that the API names."""
    now = time.time()
    born = 1940 + (number * 7) % 55
    told: dict[str, Any] = {
        "id": number, "patient_name": name, "patient_id": f"DEMO-{1000 + number}", "birth_date": f"{born}0412",
        "sex": "MF"[number % 2], "study_date": "20261121", "study_time": f"{8 + number % 10:02d}1500",
        "accession_number": f"A{20260 + number}", "description": "CT HEAD W/O CONTRAST",
        "station": "GE MEDICAL SYSTEMS Discovery", "source": "dimse:CT01", "status": "analysed", "reason": "",
        "images": 28, "probability": None, "suspected": None, "states": {}, "priority": 0.0,
        "first_received": now - 300 - 97 * number, "last_received": now - 290 - 97 * number,
        "waiting_s": 290.0 + 97 * number, "read_at": None, "read_by": "", "result_id": number,
        "deliveries": {"done": 2, "waiting": 0, "set_aside": 0}, "feedback": 0,
    }  # fmt: skip
    return told | more


def with_images(number: int, name: str, report: Report, volume: Volume, folder: Path, repeat: int = 0) -> FakeStudy:
    """An analysed study; `repeat` adds copies of the uppermost slice, for a study of another length."""
    writer = SeriesWriter(folder, ("html", "text", "fhir"))
    written = writer.write(report, volume)
    result = written.result
    prediction = report.prediction
    if prediction is None:
        raise RuntimeError(f"the demonstration scan was not analysed: {report.reason}")
    states = {label: one["state"] for label, one in result["findings"]["labels"].items()}
    scan = result["scan"]["any"]
    study = FakeStudy(
        row(number, name, probability=scan["probability"], suspected=scan["positive"], states=states,
            images=len(volume.hu) + repeat)
    )  # fmt: skip
    study.results = [result]
    study.files = {path.name: path.read_bytes() for path in written.paths if path.is_file()}
    study.deliveries = [
        {"id": 10 * number + i, "kind": "send", "target": name, "state": state, "attempts": 1, "error": error}
        for i, (name, state, error) in enumerate([("pacs", "done", ""), ("archive", "queued", "")])
    ]
    study.series = [_images(report, volume, result, repeat)]
    return study


def _images(report: Report, volume: Volume, result: dict[str, Any], repeat: int) -> FakeSeries:
    count = len(volume.hu)
    order = [*range(count), *([count - 1] * repeat)]
    found = result["findings"]
    findings = {label: found["labels"][label] | result["scan"][label] for label in LABELS}
    told = {
        "series_instance_uid": volume.series_instance_uid, "description": report.description, "reason": None,
        "rows": volume.hu.shape[1], "cols": volume.hu.shape[2],
        "spacing_mm": None if volume.spacing_mm is None else list(volume.spacing_mm),
        "orientation": None if volume.orientation is None else list(volume.orientation),
        "slices": [
            {"index": k, "sop_instance_uid": result["slices"][i]["sop_instance_uid"],
             "position_mm": result["slices"][i]["position_mm"] + 4 * (k - i),
             "probabilities": result["slices"][i]["probabilities"]}
            for k, i in enumerate(order)
        ],
        "labels": list(LABELS), "thresholds": found["slice_thresholds"], "findings": findings,
        "heat": {label: [] for label in LABELS},
    }  # fmt: skip
    series = FakeSeries(told, [gzip.compress(volume.hu[i].astype("<i2").tobytes(), 1) for i in order])
    prediction = report.prediction
    mask = skull(report, volume)
    for number, label in enumerate(LABELS):
        if prediction is None or findings[label]["state"] == ABSENT:
            continue
        inside = None if mask is None else widened(mask, volume.hu, np.arange(count))
        hot = heat(volume, prediction, number, inside)
        for i in range(count):
            small = cv2.resize(hot.on(i), (HEAT_SIDE, HEAT_SIDE), interpolation=cv2.INTER_AREA)
            grey = np.rint(255 * np.clip(small, 0, 1)).astype(np.uint8)
            if grey.any():
                series.heat[label, i] = gzip.compress(grey.tobytes(), 1)
                told["heat"][label].append(i)
    return series


def demo_studies(folder: Path, fine_maps: bool = False) -> list[FakeStudy]:
    """Studies with images: two bleeds, then the healthy head; then rows without images in every status.

    The first has 36 slices. Finer maps take longer.
    """
    folders = {path.name: path for path in write_demo(folder / "dicom")}
    names = ["Sample^Ada", "Sample^Bruno", "Sample^Chiara"]
    wanted = ["simulated-subdural", "simulated-intraparenchymal", "head"]
    studies = []
    for number, (name, which) in enumerate(zip(names, wanted, strict=True), 1):
        [(report, volume)] = list(examine([folders[which]], class_maps=True, fine_maps=fine_maps))
        if volume is None:
            raise RuntimeError(f"the demonstration scan {which} was not analysed: {report.reason}")
        repeat = 36 - len(volume.hu) if number == 1 else 0
        studies.append(with_images(number, name, report, volume, folder / "results" / str(number), repeat))
    first = len(studies) + 1
    more = [
        row(first, "Sample^Frida", status="not_analysable", result_id=first, images=2, station="SIEMENS Definition",
            reason="a localizer (scout), not axial slices"),
        row(first + 1, "Sample^Goran", status="analysing", result_id=None, deliveries={}, images=34),
        row(first + 2, "Sample^Hana", status="waiting", result_id=None, deliveries={}, images=40),
        row(first + 3, "Sample^Ivo", status="receiving", result_id=None, deliveries={}, images=11),
        row(first + 4, "Sample^Jana", status="set_aside", result_id=None, deliveries={}, images=31,
            reason="the analysis ended three times: expected pixels of 512 x 512, found 511 rows"),
        row(first + 5, "<script>window.hacked=1</script>^<img src=x onerror=hacked=2>", probability=0.03,
            suspected=False, states=dict.fromkeys(LABELS, "absent"), description="<b>CT</b>",
            read_at=time.time() - 60, read_by="reader",
            deliveries={"done": 1, "waiting": 0, "set_aside": 1}),
    ]  # fmt: skip
    return studies + [FakeStudy(one) for one in more]
