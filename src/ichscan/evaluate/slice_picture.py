"""A slice as a small picture: the head in the brain window, with the boxes of its lesions."""

from typing import TYPE_CHECKING, Final

import numpy as np

from ichscan.errors import OutputError
from ichscan.model.crop import head_boxes
from ichscan.model.preprocess import windowed

if TYPE_CHECKING:
    from ichscan.datasets.store import SliceStore

CENTER_HU, WIDTH_HU = 40.0, 80.0
SIZE: Final = 256
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
    spacing = store.table["pixel_col_mm"][row].as_py()
    top, left, side = (int(v) for v in head_boxes(hu[None], spacing)[0])
    grey = windowed(hu[None], CENTER_HU, WIDTH_HU)[0]
    square = np.zeros((side, side), np.uint8)
    rows, cols = (slice(max(o, 0), min(o + side, n)) for o, n in zip((top, left), grey.shape, strict=True))
    square[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = grey[rows, cols]
    shrinks = side > size
    shown = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    boxes = _boxes(store, row)
    if boxes:
        shown = cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR)
    for x0, y0, x1, y1 in boxes:
        corners = [round((v - o) * size / side) for v, o in ((x0, left), (y0, top), (x1, left), (y1, top))]
        cv2.rectangle(shown, corners[:2], corners[2:], BOX_COLOR, 1)
    done, data = cv2.imencode(".png", shown, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise OutputError("a picture of a slice could not be encoded as PNG; report this")
    return bytes(data)


def _boxes(store: "SliceStore", row: int) -> list[tuple[float, float, float, float]]:
    """(x0, y0, x1, y1) in pixels of the slice."""
    import pyarrow.compute as pc

    found = store.boxes.filter(pc.equal(store.boxes["slice_id"], store.table["slice_id"][row]))
    return [(b["x0"], b["y0"], b["x1"], b["y1"]) for b in found.to_pylist()]
