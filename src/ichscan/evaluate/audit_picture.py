"""A suspicious slice as a radiologist would look at it: two windows side by side, and the slices above and below."""

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np

from ichscan.errors import OutputError
from ichscan.evaluate.slice_picture import BOX_COLOR, corners_of_boxes, head_panel, head_view
from ichscan.model.preprocess import UInt8

if TYPE_CHECKING:
    from ichscan.datasets.store import SeriesRows, SliceStore

BRAIN: Final = (40.0, 80.0)
SUBDURAL: Final = (80.0, 200.0)
"""Center and width in HU (Burduja et al. 2020, section 3)."""
LARGE: Final = 300
SMALL: Final = LARGE // 2
INK: Final = 235


def place_in_scan(store: "SliceStore", row: int) -> tuple["SeriesRows", int]:
    """The scan of a row of the store's table, and the slice's place in it, 0 = most inferior."""
    series = store.series()
    one = series[bisect_right([int(s.rows[0]) for s in series], row) - 1]
    return one, row - int(one.rows[0])


def audit_picture(store: "SliceStore", row: int) -> bytes:
    """PNG: the slice in the brain and the subdural window, then its neighbours above (superior) and below.

    Lesion boxes of the data set are drawn in the first panel; numbers count from 1, the most inferior slice.

    Args:
        store: the images.
        row: of the store's table.

    Raises:
        DataError: a slice cannot be read.
        OutputError: the picture cannot be encoded.
    """
    import cv2

    series, place = place_in_scan(store, row)
    hu = {i: store.hu(int(series.rows[i])) for i in (place - 1, place, place + 1) if 0 <= i < len(series.rows)}
    view = head_view(store, row, hu[place])
    brain = _named(head_panel(hu[place], view, LARGE, BRAIN), f"{place + 1} of {len(series.rows)}, brain")
    subdural = _named(head_panel(hu[place], view, LARGE, SUBDURAL), "subdural")
    neighbours = [
        _named(head_panel(hu[i], view, SMALL, BRAIN), name) if i in hu else np.zeros((SMALL, SMALL), np.uint8)
        for i, name in ((place + 1, "above"), (place - 1, "below"))
    ]
    sheet = np.hstack([brain, subdural, np.vstack(neighbours)])
    boxes = corners_of_boxes(store, row, view, LARGE)
    if boxes:  # in grey a picture is smaller
        sheet = np.asarray(cv2.cvtColor(sheet, cv2.COLOR_GRAY2BGR), np.uint8)
    for corner, opposite in boxes:
        cv2.rectangle(sheet[:, :LARGE], corner, opposite, BOX_COLOR, 1)
    done, data = cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise OutputError("a picture of a slice could not be encoded as PNG; report this")
    return bytes(data)


def _named(panel: UInt8, name: str) -> UInt8:
    import cv2

    for ink, width in ((0, 3), (INK, 1)):  # the dark rim is seen on bone
        cv2.putText(panel, name, (6, len(panel) - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.4, ink, width, cv2.LINE_AA)
    return panel
