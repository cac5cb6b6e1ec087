"""Reading: paths to series, series to volumes in HU. See docs/reading.md."""

from ichscan.dicom.intake import open_series
from ichscan.dicom.series import Intake, Series
from ichscan.dicom.volume import load_volume

__all__ = ["Intake", "Series", "load_volume", "open_series"]
