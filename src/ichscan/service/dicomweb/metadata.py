"""Metadata of an instance in the DICOM JSON Model, with long values as references (PS3.18 section 10.4.1.1.2, F.2)."""

import base64
import logging
import math
from collections.abc import Iterator
from typing import Any, Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from ichscan.dicom.header import PARSE_ERRORS
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.service.dicomweb.json_model import Json
from ichscan.service.dicomweb.opened import Opened

INLINE: Final = 1024
"""Bytes of a binary value that stands in the metadata itself."""
BINARY: Final = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
DEEPEST: Final = 32
"""Sequences in sequences; no object of PS3.3 goes deeper."""
_log = logging.getLogger(__name__)


def metadata(opened: Opened, url: str) -> Json:
    """All elements of an instance, by tag; what does not parse is left out, and counted in the log.

    Args:
        opened: the instance.
        url: of the instance.
    """
    writer = _Writer(f"{url}/bulkdata")
    with quiet_pydicom():
        told = dict(writer.elements(opened.dataset, ""))
    if opened.has_pixels:
        tag = 0x7FE00010 if opened.pixels is None else opened.pixels.tag
        vr = {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(tag, "OW")
        told[f"{tag:08X}"] = {"vr": vr, "BulkDataURI": f"{url}/bulkdata/{tag:08X}"}
    if writer.left_out:
        _log.warning("SOP instance %s: %d elements do not parse", opened.held.sop_instance, writer.left_out)
    return dict(sorted(told.items()))


class _Writer:
    """Writes elements, and counts those that it cannot."""

    def __init__(self, bulk_url: str) -> None:
        self._bulk_url = bulk_url
        self.left_out = 0

    def elements(self, dataset: Dataset, path: str, depth: int = 0) -> Iterator[tuple[str, Json]]:
        for tag in sorted(dataset.keys()):
            if tag.element == 0:
                continue  # group lengths are of the encoding
            try:
                yield f"{tag:08X}", self._element(dataset, tag, f"{path}/{tag:08X}", depth)
            except (*PARSE_ERRORS, OSError):
                self.left_out += 1

    def _element(self, dataset: Dataset, tag: BaseTag, path: str, depth: int) -> Json:
        raw: Any = dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.VR in BINARY and raw.length > INLINE:
            # Not converted: it may be long, and its value is not needed.
            return {"vr": str(raw.VR), "BulkDataURI": self._bulk_url + path}
        element = dataset[tag]
        if element.VR == "SQ":
            return self._sequence(element, path, depth)
        if isinstance(element.value, bytes):
            return self._binary(element, path)
        if " or " in element.VR:
            element = DataElement(element.tag, "US", element.value)
        told: Json = element.to_json_dict(None, INLINE)
        if "Value" in told:
            told["Value"] = [_finite(value) for value in told["Value"]]
        return told

    def _sequence(self, element: DataElement, path: str, depth: int) -> Json:
        if depth >= DEEPEST:
            raise ValueError("sequences too deep")
        items = [dict(self.elements(item, f"{path}/{i}", depth + 1)) for i, item in enumerate(element.value)]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}

    def _binary(self, element: DataElement, path: str) -> Json:
        vr = element.VR if element.VR in BINARY else "OW" if " or " in element.VR else "UN"
        value: bytes = element.value
        if len(value) > INLINE:
            return {"vr": vr, "BulkDataURI": self._bulk_url + path}
        return {"vr": vr, "InlineBinary": base64.b64encode(value).decode("ascii")} if value else {"vr": vr}


def _finite(value: Any) -> Any:
    """JSON has neither NaN nor infinity: they are told as no value (Annex F.2.5)."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
