"""One forward pass over slices: model input to embeddings and logits, in every test-time variant."""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ichscan.datasets.store import SeriesRows, SliceStore
from ichscan.errors import DataError, UsageError
from ichscan.model.preprocess import grey_slice, normalise, prepare
from ichscan.model.spec import InputSpec
from ichscan.train.classifier import SliceClassifier
from ichscan.train.feature_store import MEAN
from ichscan.types import Float32

TRANSFORMS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "none": lambda x: x,
    "hflip": lambda x: x.flip(3),
    "transpose": lambda x: x.transpose(2, 3),
}
"""Test-time variants of model input (n, channels, rows, cols)."""
Arrays = dict[str, tuple[Float32, Float32]]
"""Stored variant -> embeddings (n, width) and logits (n, labels)."""
Piece = tuple[int, Arrays]
"""Where in the set the first of these rows goes, and their features."""


class FeaturePass:
    """Model input (n, channels, rows, cols) -> per stored variant, embeddings (n, width) and logits (n, labels).

    Raises UsageError when the precision is unknown.
    """

    def __init__(self, network: SliceClassifier, variants: tuple[str, ...], batch: int, precision: str) -> None:
        kinds = {"32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
        if precision not in kinds:
            raise UsageError(f"features: expected precision of {sorted(kinds)}, found {precision!r}")
        self.network, self.variants, self.batch = network, variants, batch
        self.precision, self.dtype = precision, kinds[precision]
        self.device = next(network.parameters()).device

    def checked(self, images: Float32, store: SliceStore, rows: NDArray[np.int64]) -> Arrays:
        """Features of these rows' images. Raises DataError, with the slices' names, when one is NaN or infinite."""
        arrays = self(images)
        for embedding, logits in arrays.values():
            good = np.isfinite(embedding).all(axis=1) & np.isfinite(logits).all(axis=1)
            if not good.all():
                raise _not_finite(store, rows[~good])
        return arrays

    @torch.inference_mode()
    def __call__(self, images: Float32) -> Arrays:
        parts: dict[str, list[tuple[Tensor, Tensor]]] = {v: [] for v in self.variants}
        for start in range(0, len(images), self.batch):
            x = torch.from_numpy(images[start : start + self.batch]).to(self.device)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
                for variant in self.variants:
                    out = self.network(TRANSFORMS[variant](x).contiguous())
                    parts[variant].append((out.embedding.float().cpu(), out.logits.float().cpu()))
        joined = {v: (torch.cat([e for e, _ in p]), torch.cat([z for _, z in p])) for v, p in parts.items()}
        if len(joined) > 1:
            both = [torch.stack([pair[k] for pair in joined.values()]).mean(0) for k in (0, 1)]
            joined[MEAN] = (both[0], both[1])
        return {v: (e.numpy(), z.numpy()) for v, (e, z) in joined.items()}


def by_series(store: SliceStore, rows: NDArray[np.int64]) -> list[tuple[SeriesRows, NDArray[np.int64]]]:
    """The series that hold these rows, and which of each; ascending, so that rows are in order of the table."""
    bounds = np.searchsorted(rows, [(s.rows[0], s.rows[-1] + 1) for s in store.series()])
    return [(s, rows[a:b]) for s, (a, b) in zip(store.series(), bounds, strict=True) if b > a]


def images_of(store: SliceStore, series: SeriesRows, rows: NDArray[np.int64], spec: InputSpec) -> Float32:
    """Model input of some slices of a series: float32 (n, channels, size, size)."""
    hu = np.stack(store.hu_many(series.rows))
    spacing = store.table["pixel_col_mm"][int(series.rows[0])].as_py()
    prepared = prepare(hu, series.positions_mm, spec, spacing)
    return normalise(np.stack([grey_slice(prepared, int(i), spec) for i in rows - series.rows[0]]), spec)


def _not_finite(store: SliceStore, rows: NDArray[np.int64]) -> DataError:
    names = [store.table["slice_id"][int(row)].as_py() for row in rows[:5]]
    return DataError(
        f"features: expected finite values, found NaN or infinity for {len(rows)} slices, such as {names}; "
        "use an earlier epoch's weights or precision 32"
    )
