"""What QIDO-RS answers of a study, a series, an instance (PS3.18 section 10.6.3.3)."""

from collections.abc import Sequence

from ichscan.service.dicomweb.json_model import Json, element
from ichscan.service.tables import Instance, Series, Study


def study_attributes(study: Study, series: Sequence[tuple[str, int]], url: str) -> Json:
    """Attributes of a study.

    Args:
        study: its row.
        series: modality and number of instances of each of its series.
        url: of the service.
    """
    images = sum(count for _, count in series)
    return (
        element("SpecificCharacterSet", "ISO_IR 192")
        | element("StudyDate", study.study_date)
        | element("StudyTime", study.study_time)
        | element("AccessionNumber", study.accession_number)
        | element("InstanceAvailability", "ONLINE" if images else "UNAVAILABLE")
        | element("ModalitiesInStudy", *sorted({modality for modality, _ in series if modality}))
        | element("ReferringPhysicianName")
        | element("StudyDescription", study.description)
        | element("RetrieveURL", f"{url}/studies/{study.study_instance_uid}")
        | element("PatientName", study.patient_name)
        | element("PatientID", study.patient_id)
        | element("PatientBirthDate", study.birth_date)
        | element("PatientSex", study.sex)
        | element("StudyInstanceUID", study.study_instance_uid)
        | element("StudyID")
        | element("NumberOfStudyRelatedSeries", len(series))
        | element("NumberOfStudyRelatedInstances", images)
    )


def series_attributes(study: Study, series: Series, images: int, url: str) -> Json:
    """Attributes of a series, which holds so many instances."""
    return (
        element("Modality", series.modality)
        | element("SeriesDescription", series.description)
        | element("RetrieveURL", f"{url}/studies/{study.study_instance_uid}/series/{series.series_instance_uid}")
        | element("StudyInstanceUID", study.study_instance_uid)
        | element("SeriesInstanceUID", series.series_instance_uid)
        | element("SeriesNumber", series.number)
        | element("NumberOfSeriesRelatedInstances", images)
    )


def instance_attributes(study: Study, series: Series, instance: Instance, url: str) -> Json:
    """Attributes of an instance; rows, columns and frames only of images."""
    place = f"{url}/studies/{study.study_instance_uid}/series/{series.series_instance_uid}"
    told = (
        element("SOPClassUID", instance.sop_class_uid)
        | element("SOPInstanceUID", instance.sop_instance_uid)
        | element("InstanceAvailability", "ONLINE")
        | element("RetrieveURL", f"{place}/instances/{instance.sop_instance_uid}")
        | element("AvailableTransferSyntaxUID", instance.transfer_syntax_uid)
        | element("StudyInstanceUID", study.study_instance_uid)
        | element("SeriesInstanceUID", series.series_instance_uid)
        | element("InstanceNumber", instance.number)
    )
    if instance.rows and instance.columns:
        told |= element("Rows", instance.rows) | element("Columns", instance.columns)
    if instance.frames > 1:
        told |= element("NumberOfFrames", instance.frames)
    return told
