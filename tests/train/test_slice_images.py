"""A slice read alone is the slice that serving sees, bit for bit."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("pyarrow", reason="data sets need the extra `data`")

from tests.train.fake_store import FakeStore

from ichscan.model.preprocess import model_input, normalise
from ichscan.model.spec import Channel, InputSpec
from ichscan.train.slice_batches import InputTables
from ichscan.train.slice_images import SliceImages

WINDOWS = (Channel(40, 80), Channel(80, 200), Channel(40, 380))
NEIGHBOURS = (Channel(40, 80, -5), Channel(40, 80, 0), Channel(40, 80, 5), Channel(80, 200, 2.5))


@pytest.mark.parametrize("channels", [WINDOWS, NEIGHBOURS], ids=["windows", "neighbours"])
@pytest.mark.parametrize(
    ("crop", "slab", "unclip"), [("slice", 0.0, False), ("head", 0.0, False), ("slice", 0.0, True), ("head", 5.0, True)]
)
def test_slices_alone_equal_the_scan(channels: tuple[Channel, ...], crop: str, slab: float, unclip: bool) -> None:
    k = len(channels)
    spec = InputSpec(channels, crop, 48, (0.2,) * k, (0.3,) * k, slab_mm=slab, unclip=unclip)
    store = FakeStore(2, 6, step_mm=2.0)
    images = SliceImages(store, spec, cache_bytes=1)
    tables = InputTables(spec)
    assert images.local == (crop == "slice" and not unclip)
    for series in store.series():
        expected, boxes = model_input(np.stack(store.hu_many(series.rows)), series.positions_mm, spec)
        grey = np.stack([images.grey(int(row)) for row in series.rows])
        assert np.array_equal(normalise(grey, spec), expected)
        assert [images.square(int(row)) for row in series.rows] == [tuple(box) for box in boxes.tolist()]
        assert np.array_equal(tables(torch.from_numpy(grey)).numpy(), expected)


def test_memory_for_prepared_scans_is_bounded() -> None:
    spec = InputSpec(WINDOWS, "head", 48, (0.2,) * 3, (0.3,) * 3)
    store = FakeStore(4, 3)
    images = SliceImages(store, spec, cache_bytes=2 * 3 * 3 * 48 * 48)
    for row in range(len(store)):
        images.grey(row)
    assert len(images._scans) == 2
