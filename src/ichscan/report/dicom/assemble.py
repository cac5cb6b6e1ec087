"""What all results have in common: stand-ins of the source images, the device, the same dates on every run."""

from collections.abc import Sequence
from typing import Any, Final

from highdicom.sr import CodedConcept, DeviceObserverIdentifyingAttributes, ObserverContext
from pydicom.dataset import Dataset

from ichscan import __version__
from ichscan.dicom.intake import MAKER
from ichscan.report.dicom.attributes import fitting
from ichscan.report.dicom.codes import DEVICE
from ichscan.report.dicom.identity import derived_uid, result_uid
from ichscan.report.dicom.source import ImageReference, SourceSeries
from ichscan.report.findings import Findings

NUMBERS: Final = {"sr": 1, "pm": 2, "sc": 3, "ko": 4, "esr": 5}
"""Last digits of the series numbers."""
LARGEST: Final = 9999


def identifiers(
    findings: Findings, source: SourceSeries, kind: str, description: str, number: int = 1
) -> dict[str, Any]:
    """Arguments of highdicom's constructors that tell the objects of a run apart; `number` counts from 1."""
    base = source.series_number if source.series_number and 0 < source.series_number <= LARGEST else 99
    return {
        "series_instance_uid": result_uid(findings, kind, "series"),
        "sop_instance_uid": result_uid(findings, kind, number),
        "series_number": base * 100 + NUMBERS[kind],
        "instance_number": number,
        "series_description": description,
        "manufacturer": MAKER,
        "manufacturer_model_name": model_name(findings),
        "software_versions": __version__,
        "device_serial_number": findings.model.sha256[:16] if findings.model is not None else "none",
        "content_date": source.date,
        "content_time": source.time,
    }


def model_name(findings: Findings) -> str:
    """Manufacturer's Model Name (0008,1090): the model, or ichscan when none was used."""
    model = findings.model
    return "ichscan" if model is None else fitting(f"{model.name} {model.version}", None, 64)


def evidence(source: SourceSeries, image: ImageReference) -> Dataset:
    """A stand-in of a source image for highdicom: identity and matrix only, patient and study empty.

    highdicom checks and logs what it copies; the patient's attributes are put in afterwards, by `completed`.
    """
    found = Dataset()
    found.SOPClassUID, found.SOPInstanceUID = image.sop_class_uid, image.sop_instance_uid
    found.StudyInstanceUID, found.SeriesInstanceUID = source.study_uid, source.series_uid
    found.Modality = "CT"
    found.PatientID = found.PatientName = found.PatientBirthDate = found.PatientSex = None
    found.AccessionNumber = found.StudyID = found.StudyDate = found.StudyTime = None
    found.Rows, found.Columns = source.rows, source.columns
    return found


def all_evidence(source: SourceSeries) -> list[Dataset]:
    """A stand-in per file, each file once."""
    images: dict[str, ImageReference] = {image.sop_instance_uid: image for image in source.images}
    return [evidence(source, image) for image in images.values()]


def observer(findings: Findings) -> ObserverContext:
    """The device that made the result (TID 1002 with TID 1004)."""
    identity = findings.model.sha256 if findings.model is not None else "none"
    device = DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device", __version__, identity),
        name="ichscan",
        manufacturer_name=MAKER,
        model_name=model_name(findings),
        serial_number=identity[:16],
    )
    return ObserverContext(CodedConcept.from_code(DEVICE), device)


def completed(result: Dataset, source: SourceSeries) -> Dataset:
    """Puts patient and study in, and takes out what differs from run to run (when and by which library it was made)."""
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "DateOfSecondaryCapture", "TimeOfSecondaryCapture"):
        if keyword in result:
            delattr(result, keyword)
    if "ContributingEquipmentSequence" in result:
        del result.ContributingEquipmentSequence
    result.update(source.patient_study)
    result.file_meta.ImplementationClassUID = derived_uid("ichscan implementation")
    result.file_meta.ImplementationVersionName = f"ICHSCAN {__version__}"[:16]
    return result


def source_references(images: Sequence[ImageReference], purpose: Dataset) -> list[Dataset]:
    """Items of a Source Image Sequence (0008,2112), PS3.3 C.12.4, macro 10-3."""
    items = []
    for image in images:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class_uid, image.sop_instance_uid
        if image.frame is not None:
            item.ReferencedFrameNumber = image.frame
        item.PurposeOfReferenceCodeSequence = [purpose]
        items.append(item)
    return items
