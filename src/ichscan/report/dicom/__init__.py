"""Results as DICOM: structured report, parametric map, secondary captures, key objects. See docs/dicom-results.md.

Needs the extra `report` (highdicom); importing this package without it raises MissingExtraError.
"""

from ichscan.errors import MissingExtraError

try:
    import highdicom  # noqa: F401
except ImportError as error:
    raise MissingExtraError("DICOM results need the package highdicom; pip install 'ichscan[report]'") from error

from ichscan.report.dicom.capture import secondary_capture
from ichscan.report.dicom.key_objects import key_objects
from ichscan.report.dicom.parametric import parametric_map
from ichscan.report.dicom.source import SourceSeries, read_source
from ichscan.report.dicom.structured import structured_report
from ichscan.report.dicom.write import write_dicom

__all__ = [
    "SourceSeries",
    "key_objects",
    "parametric_map",
    "read_source",
    "secondary_capture",
    "structured_report",
    "write_dicom",
]
