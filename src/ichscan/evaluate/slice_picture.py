"""A slice as a small picture: the head in the brain window, with the boxes of its lesions."""

from typing import TYPE_CHECKING, Final

import numpy as np

from ichscan.errors import OutputError
from ichscan.model.crop import head_boxes
from ichscan.model.preprocess import UInt8, windowed
from ichscan.types import Int16

if TYPE_CHECKING:
    from ichscan.datasets.store import SliceStore

CENTER_HU, WIDTH_HU = 40.0, 80.0
View = tuple[int, int, int]
"""(top row, left column, side) of a square in pixels of the slice; it may reach beyond the image."""
SIZE: Final = 256
FINEST: Final = np.uint8(0xFC)
"""64 shades, 1.25 HU each in the brain window: below the noise, and a fifth less to store."""
BOX_COLOR: Final = (0, 159, 230)
"""Orange, as BGR."""


def slice_rows(store: "SliceStore", ids: list[str]) -> list[int | None]:
    """Rows of the store's table by slice_id; None where it has no such slice."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pc.index_in(pa.array(ids, pa.string()), value_set=store.table["slice_id"].combine_chunks())
    found: list[int | None] = places.to_pylist()
    return found


def slice_picture(store: "SliceStore", row: int, size: int = SIZE) -> bytes:
    """PNG of `size` x `size` pixels: the square around the head, 0 to 80 HU from black to white.

    Args:
        store: the images.
        row: of the store's table.
        size: of the picture, pixels.

    Raises:
        DataError: the slice cannot be read.
        OutputError: the picture cannot be encoded.
    """
    import cv2

    hu = store.hu(row)
    view = head_view(store, row, hu)
    shown = head_panel(hu, view, size)
    boxes = corners_of_boxes(store, row, view, size)
    if boxes:
        shown = np.asarray(cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR), np.uint8)
    for corner, opposite in boxes:
        cv2.rectangle(shown, corner, opposite, BOX_COLOR, 1)
    done, data = cv2.imencode(".png", shown, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise OutputError("a picture of a slice could not be encoded as PNG; report this")
    return bytes(data)


def head_view(store: "SliceStore", row: int, hu: Int16) -> View:
    """The square around the head of a slice, int16 (rows, cols) in HU."""
    top, left, side = head_boxes(hu[None], store.table["pixel_col_mm"][row].as_py())[0].tolist()
    return int(top), int(left), int(side)


def head_panel(hu: Int16, view: View, size: int, window: tuple[float, float] = (CENTER_HU, WIDTH_HU)) -> UInt8:
    """The square `view` of a slice in a window (center, width in HU), uint8 (size, size); black beyond the image."""
    import cv2

    top, left, side = view
    grey = windowed(hu[None], *window)[0]
    square = np.zeros((side, side), np.uint8)
    rows, cols = (slice(max(o, 0), min(o + side, n)) for o, n in zip((top, left), grey.shape, strict=True))
    square[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = grey[rows, cols]
    shrinks = side > size
    shown = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(shown, np.uint8) & FINEST


def corners_of_boxes(
    store: "SliceStore", row: int, view: View, size: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Lesion boxes of a slice as two opposite corners (x, y), in pixels of a panel of `size`."""
    import pyarrow.compute as pc

    top, left, side = view
    found = store.boxes.filter(pc.equal(store.boxes["slice_id"], store.table["slice_id"][row]))

    def placed(x: float, y: float) -> tuple[int, int]:
        return round((x - left) * size / side), round((y - top) * size / side)

    return [(placed(b["x0"], b["y0"]), placed(b["x1"], b["y1"])) for b in found.to_pylist()]
