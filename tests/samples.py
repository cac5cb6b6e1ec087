"""A small volume and the report on it, for tests of what is written about them."""

import numpy as np
from tests import dicom_builders as build

from ichscan.labels import ANY
from ichscan.types import ModelIdentity, Prediction, Report, Volume


def volume(count: int = 4) -> Volume:
    """A drawn head, slices 5 mm apart, patient lying as usual."""
    origins = np.array([[-16.0, -16.0, 5.0 * i] for i in range(count)])
    return Volume(
        hu=np.stack([build.head_hu(i) for i in range(count)]),
        positions_mm=np.arange(count) * 5.0,
        spacing_mm=(3.0, 3.0),
        orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        origins=origins,
        sop_instance_uids=tuple(f"1.2.{i}" for i in range(count)),
        files=tuple(f"{i}.dcm" for i in range(count)),
        study_instance_uid="1.2",
        series_instance_uid="1.2.3",
    )


def prediction(count: int = 4, positive: int = 2) -> Prediction:
    """Slice `positive` holds blood at the map's centre right; the others only weak activation."""
    slices = np.full((count, 6), 0.05, np.float32)
    slices[positive] = 0.8
    maps = np.full((count, 6, 8, 8), 0.3, np.float32)
    maps[positive, ANY, 3:5, 4:6] = 5.0
    return Prediction(
        slices=slices,
        scan=np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.9], np.float32),
        slice_thresholds=np.full(6, 0.5, np.float32),
        scan_thresholds=np.full(6, 0.5, np.float32),
        model=ModelIdentity("fake", "0", "0" * 64),
        class_maps=maps,
        boxes=np.array([[0, 0, 64]] * count, np.int32),
    )


def report(count: int = 4, positive: int = 2) -> Report:
    """An analysed series."""
    scan = volume(count)
    return Report(
        status="analysed",
        reason=None,
        study_instance_uid="1.2",
        series_instance_uid="1.2.3",
        description="CT",
        slices=count,
        positions_mm=tuple(float(p) for p in scan.positions_mm),
        sop_instance_uids=scan.sop_instance_uids,
        files=scan.files,
        prediction=prediction(count, positive),
        warnings=("Slices are tilted.",),
        timing_s={"read": 0.1, "preprocess": 0.1, "infer": 0.1, "total": 0.3},
    )
