"""The network's input for single slices of a store, by the same preprocessing that serves scans.

Slices are cut, windowed and resized when they are read; only their HU are stored.
"""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.model.preprocess import Preparation, grey_slice, normalise, prepare
from ichscan.model.spec import InputSpec
from ichscan.types import Float32

if TYPE_CHECKING:
    from ichscan.datasets.store import SeriesRows, SliceStore

UInt8 = NDArray[np.uint8]
CACHE_BYTES: Final = 2 << 30


class SliceImages:
    """Grey images of slices, by row of the store's table. May be shared by threads.

    Where the input asks for nothing of the whole scan (crop "slice" or "none", no slabs, no unclipping), only the
    slice and the neighbours that its channels show are read. Otherwise the whole scan is prepared once and kept while
    there is room.

    Args:
        store: the collection.
        spec: the input contract.
        cache_bytes: memory for prepared scans.
    """

    def __init__(self, store: "SliceStore", spec: InputSpec, cache_bytes: int = CACHE_BYTES) -> None:
        self.store, self.spec, self.cache_bytes = store, spec, cache_bytes
        self.local = spec.crop in ("slice", "none") and spec.slab_mm == 0 and not spec.unclip
        self.series = store.series()
        self._place = np.zeros((len(store.labels), 2), np.int32)  # series, and index within it
        for s, series in enumerate(self.series):
            self._place[series.rows, 0], self._place[series.rows, 1] = s, np.arange(len(series.rows))
        self._scans: OrderedDict[int, UInt8] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def grey(self, row: int) -> UInt8:
        """One slice: uint8 (channels, size, size). Raises DataError when its pixels cannot be read."""
        s, i = (int(v) for v in self._place[row])
        return self._alone(self.series[s], i) if self.local else self._scan(s)[i]

    def square(self, row: int) -> tuple[int, int, int]:
        """(top, left, side) in pixels of the slice: what the network is shown of it."""
        s, i = (int(v) for v in self._place[row])
        if self.local:
            prepared, i = self._prepare_alone(self.series[s], i)
        else:
            prepared = self._prepare_scan(s)
        top, left, side = (int(v) for v in prepared.boxes[i])
        return top, left, side

    def _alone(self, series: "SeriesRows", index: int) -> UInt8:
        prepared, i = self._prepare_alone(series, index)
        return grey_slice(prepared, i, self.spec)

    def _prepare_alone(self, series: "SeriesRows", index: int) -> tuple[Preparation, int]:
        """The slice with the neighbours that its channels show, and its index among them."""
        positions = np.asarray(series.positions_mm, np.float64)
        wanted = positions[index] + np.array([channel.offset_mm for channel in self.spec.channels])
        # as `prepare` finds neighbours: the nearest, the lower of equals; among these alone it finds them again
        nearest = np.abs(positions[None, :] - wanted[:, None]).argmin(axis=1)
        shown = np.unique(np.append(nearest, index))
        hu = np.stack(self.store.hu_many(series.rows[shown]))
        return prepare(hu, positions[shown], self.spec), int(np.searchsorted(shown, index))

    def _prepare_scan(self, number: int) -> Preparation:
        series = self.series[number]
        spacing = self.store.table["pixel_col_mm"][int(series.rows[0])].as_py()
        return prepare(np.stack(self.store.hu_many(series.rows)), series.positions_mm, self.spec, spacing)

    def _scan(self, number: int) -> UInt8:
        """All slices of a series: uint8 (slices, channels, size, size)."""
        with self._lock:
            if number in self._scans:
                self._scans.move_to_end(number)
                return self._scans[number]
        prepared = self._prepare_scan(number)
        scan = np.stack([grey_slice(prepared, k, self.spec) for k in range(len(prepared.boxes))])
        with self._lock:
            if number not in self._scans:
                self._scans[number] = scan
                self._bytes += scan.nbytes
            while self._bytes > self.cache_bytes and len(self._scans) > 1:
                self._bytes -= self._scans.popitem(last=False)[1].nbytes
        return scan


def grey_tables(spec: InputSpec) -> Float32:
    """The network's value of every grey level, from the function that serves: float32 (channels, 256)."""
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    values: Float32 = normalise(np.repeat(levels, len(spec.channels), axis=1), spec)[0]
    return values.reshape(len(spec.channels), 256)
