"""The most suspicious slices as a Key Object Selection (PS3.3 A.35.4, TID 2010): a viewer opens them first."""

from typing import Final

import highdicom as hd
from pydicom.dataset import Dataset

from ichscan.labels import ANY
from ichscan.report.dicom import codes
from ichscan.report.dicom.assemble import completed, evidence, identifiers, observer
from ichscan.report.dicom.source import SourceSeries
from ichscan.report.findings import Findings

MOST: Final = 8
"""More would be no selection."""
DESCRIPTION: Final = "Most suspicious slices by AI, not for diagnostic use alone"


def key_objects(findings: Findings, source: SourceSeries, most: int = MOST) -> Dataset | None:
    """References to the slices with the highest probability of any hemorrhage, from inferior to superior.

    Returns:
        None when no slice reaches its threshold, or the series was not analysed.
    """
    if not findings.analysed:
        return None
    score = [row[ANY] for row in findings.slice_probabilities]
    positive = [i for i, value in enumerate(score) if value >= findings.slice_thresholds[ANY]]
    chosen = sorted(sorted(positive, key=lambda i: (-score[i], i))[:most])
    if not chosen:
        return None
    images = [source.images[i] for i in chosen]
    files = {image.sop_instance_uid: evidence(source, image) for image in images}
    content = hd.ko.KeyObjectSelection(
        document_title=codes.OF_INTEREST,
        referenced_objects=[files[image.sop_instance_uid] for image in images],
        observer_device_context=observer(findings),
        description=DESCRIPTION,
    )
    references = [item for item in content[0].ContentSequence if item.ValueType == "IMAGE"]
    for item, image in zip(references, images, strict=True):
        if image.frame is not None:
            item.ReferencedSOPSequence[0].ReferencedFrameNumber = image.frame
    result = hd.ko.KeyObjectSelectionDocument(
        evidence=list(files.values()),
        content=content,
        **identifiers(findings, source, "ko", "AI key slices"),
    )
    return completed(result, source)
