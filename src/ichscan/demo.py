"""The demonstration scans: one real head without bleeding, and the same head with a simulated bleed of each type.

The head is series `ge` of dcm_qa_ct (BSD-2-Clause, see demo_data/LICENSE), compressed without loss. The bleeds are
not stored: `ichscan.simulate` sets them in, with fixed seeds, each time the demonstration is written.
"""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import get_frame
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ichscan.errors import OutputError
from ichscan.simulate import BLEEDS, apply, draw, prepare
from ichscan.types import Int16

_SEEDS: Final = {
    "epidural": 4,
    "intraparenchymal": 4,
    "intraventricular": 6,
    "subarachnoid": 32,
    "subdural": 4,
}
"""Seeds whose bleed is plain to see in this head; another seed gives another bleed."""


def write_demo(folder: Path) -> list[Path]:
    """Write the demonstration series as DICOM files, one folder a series.

    Simulated series are marked as such in SeriesDescription (0008,103E), DerivationDescription (0008,2111),
    ImageComments (0020,4000), PatientName (0010,0010) and PatientID (0010,0020), have UIDs of their own (the same
    on each run), and ImageType (0008,0008) DERIVED.

    Args:
        folder: where to; made when absent. Files of an earlier demonstration in it are replaced.

    Returns:
        The folders: `head`, then `simulated-<type>` in label order.

    Raises:
        OutputError: a file cannot be written.
    """
    slices = _head()
    hu = np.stack([_pixels(data) for data in slices])
    normal = np.cross(slices[0].ImageOrientationPatient[:3], slices[0].ImageOrientationPatient[3:])
    positions = np.array([np.dot(normal, data.ImagePositionPatient) for data in slices], dtype=np.float64)
    row_mm, col_mm = (float(v) for v in slices[0].PixelSpacing)
    prepared = prepare(hu, (row_mm, col_mm), positions)
    folders = [_write(folder / "head", slices)]
    for kind in BLEEDS:
        bleed = apply(prepared, draw(prepared, kind, np.random.default_rng(_SEEDS[kind])))
        marked = [_simulated(data, pixels, kind) for data, pixels in zip(slices, bleed.hu, strict=True)]
        folders.append(_write(folder / f"simulated-{kind}", marked))
    return folders


def _head() -> list[Dataset]:
    """Read the packaged head, inferior slice first."""
    packed = files("ichscan") / "demo_data"
    with as_file(packed) as folder:
        return [dcmread(path) for path in sorted(Path(folder).glob("*.dcm"))]


def _pixels(data: Dataset) -> Int16:
    """Decode one slice; slope is 1 and intercept 0 in this series, so stored values are HU."""
    frame = get_frame(data.PixelData, 0, number_of_frames=1)
    return np.asarray(imagecodecs.jpeg2k_decode(frame), dtype=np.int16)


def _simulated(source: Dataset, pixels: NDArray[np.int16], kind: str) -> Dataset:
    """Copy the header of `source`, with new pixels, new UIDs, and every mark that this is simulated."""
    data = Dataset()
    data.update({element.tag: element for element in source if element.keyword != "PixelData"})
    data.file_meta = type(source.file_meta)()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPInstanceUID = generate_uid(entropy_srcs=["ichscan demo", kind, str(source.SOPInstanceUID)])
    data.SeriesInstanceUID = generate_uid(entropy_srcs=["ichscan demo series", kind])
    data.StudyInstanceUID = generate_uid(entropy_srcs=["ichscan demo study", kind])
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.PatientName = f"SIMULATED^{kind.upper()}"
    data.PatientID = f"SIMULATED-{kind.upper()}"
    data.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    data.SeriesDescription = f"SIMULATED {kind} bleed"
    data.DerivationDescription = f"Simulated {kind} bleed set into a healthy head by ichscan. Not a patient's finding."
    data.ImageComments = f"SIMULATED {kind} bleed; for demonstration only"
    data.BurnedInAnnotation = "NO"
    data.PixelData = np.ascontiguousarray(pixels, dtype="<i2").tobytes()
    data["PixelData"].VR = "OW"
    return data


def _write(folder: Path, slices: list[Dataset]) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for i, data in enumerate(slices, start=1):
            data.save_as(folder / f"{i:02d}.dcm", enforce_file_format=True)
    except OSError as error:
        raise OutputError(f"demo: cannot write to {folder}: {error}; choose a folder with 100 MB of space") from error
    return folder
