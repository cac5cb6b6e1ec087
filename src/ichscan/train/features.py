"""Embeddings of every slice by a trained slice network: no augmentation, deterministic, resumable.

Alqaisi & Almashagbeh 2025, section 3.4.7: after each epoch the pooled features of every slice are saved. Test-time
variants (left-right flip, transposed) may be added; their mean is then kept as well.
"""

import dataclasses
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ichscan.datasets.store import SeriesRows, SliceStore
from ichscan.errors import DataError, UsageError
from ichscan.model.preprocess import grey_slice, normalise, prepare
from ichscan.model.spec import InputSpec
from ichscan.train.classifier import SliceClassifier
from ichscan.train.feature_store import MEAN, FeatureSet, FeatureWriter, open_features
from ichscan.types import Float32

TRANSFORMS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "none": lambda x: x,
    "hflip": lambda x: x.flip(3),
    "transpose": lambda x: x.transpose(2, 3),
}
"""Test-time variants of model input (n, channels, rows, cols)."""
KEEP_EVERY: Final = 2048
"""Slices between two points at which a killed extraction continues."""
Progress = Callable[[int, int], None]


def extract(
    network: SliceClassifier,
    store: SliceStore,
    rows: NDArray[np.int64],
    spec: InputSpec,
    folder: Path,
    *,
    variants: Sequence[str] = ("none",),
    batch: int = 64,
    precision: str = "32",
    workers: int = 2,
    progress: Progress = lambda done, total: None,
) -> FeatureSet:
    """Features of `rows` of the store, in the order of the table; continues or returns what is in `folder`.

    Args:
        network: on its device; switched to evaluation.
        store: with the whole series around the rows (neighbouring slices may be channels).
        rows: int64 (n,), rows of the store's table, any order, each once.
        spec: the network's input contract.
        folder: for the set; see `ichscan.train.feature_store`.
        variants: keys of `TRANSFORMS`.
        batch: slices per forward pass.
        precision: "32", or "bf16" / "fp16" for the forward pass; stored as float32.
        workers: threads that prepare input.
        progress: called with slices done and in all.

    Raises:
        DataError: a feature is NaN or infinite (the slices are named), or a row is not in the store.
        UsageError: unknown variant, or the folder holds other features.
        OutputError: disk full.
    """
    unknown = [v for v in variants if v not in TRANSFORMS]
    if unknown or not variants or len(set(variants)) != len(variants):
        raise UsageError(f"features: expected different variants of {sorted(TRANSFORMS)}, found {list(variants)}")
    wanted = np.unique(rows)
    if len(wanted) != len(rows) or (len(wanted) and (wanted[0] < 0 or wanted[-1] >= len(store))):
        raise DataError(f"features: expected different rows of a table of {len(store)}, found {len(rows)} rows")
    network.eval()
    writer = FeatureWriter(
        folder,
        wanted,
        network.backbone.width,
        network.last.out_features,
        _identity(network, store, wanted, spec, variants, precision),
    )
    if not writer.finished:
        forward = _Forward(network, tuple(variants), batch, precision)
        _write(writer, forward, store, wanted, spec, workers, progress)
    return open_features(folder)


def network_digest(network: nn.Module) -> str:
    """SHA-256 over names and bytes of all weights and buffers."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _identity(
    network: nn.Module,
    store: SliceStore,
    rows: NDArray[np.int64],
    spec: InputSpec,
    variants: Sequence[str],
    precision: str,
) -> dict[str, Any]:
    return {
        "store": store.digest,
        "network": network_digest(network),
        "rows": hashlib.sha256(rows.tobytes()).hexdigest(),
        "input": dataclasses.asdict(spec),
        "variants": list(variants),
        "precision": precision,
    }


class _Forward:
    """Model input (n, channels, rows, cols) -> per stored variant, embeddings and logits."""

    def __init__(self, network: SliceClassifier, variants: tuple[str, ...], batch: int, precision: str) -> None:
        kinds = {"32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
        if precision not in kinds:
            raise UsageError(f"features: expected precision of {sorted(kinds)}, found {precision!r}")
        self.network, self.variants, self.batch, self.dtype = network, variants, batch, kinds[precision]
        self.device = next(network.parameters()).device

    @torch.inference_mode()
    def __call__(self, images: Float32) -> dict[str, tuple[Float32, Float32]]:
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


def _write(
    writer: FeatureWriter,
    forward: _Forward,
    store: SliceStore,
    rows: NDArray[np.int64],
    spec: InputSpec,
    workers: int,
    progress: Progress,
) -> None:
    todo = rows[writer.done :]
    jobs = _by_series(store, todo)
    kept = writer.done
    for part, images in _ahead(store, jobs, spec, workers):
        arrays = forward(images)
        for embedding, logits in arrays.values():
            good = np.isfinite(embedding).all(axis=1) & np.isfinite(logits).all(axis=1)
            if not good.all():
                raise _not_finite(store, part[~good])
        writer.write(writer.done, arrays)
        if writer.done - kept >= KEEP_EVERY:
            writer.keep()
            kept = writer.done
        progress(writer.done, len(rows))
    writer.finish()


def _by_series(store: SliceStore, rows: NDArray[np.int64]) -> list[tuple[SeriesRows, NDArray[np.int64]]]:
    """The series that hold these rows, and which of each; ascending, so that rows are in order of the table."""
    bounds = np.searchsorted(rows, [(s.rows[0], s.rows[-1] + 1) for s in store.series()])
    return [(s, rows[a:b]) for s, (a, b) in zip(store.series(), bounds, strict=True) if b > a]


def _images(store: SliceStore, series: SeriesRows, rows: NDArray[np.int64], spec: InputSpec) -> Float32:
    """Model input of some slices of a series: float32 (n, channels, size, size)."""
    hu = np.stack(store.hu_many(series.rows))
    spacing = store.table["pixel_col_mm"][int(series.rows[0])].as_py()
    prepared = prepare(hu, series.positions_mm, spec, spacing)
    return normalise(np.stack([grey_slice(prepared, int(i), spec) for i in rows - series.rows[0]]), spec)


def _ahead(
    store: SliceStore, jobs: Sequence[tuple[SeriesRows, NDArray[np.int64]]], spec: InputSpec, workers: int
) -> Iterator[tuple[NDArray[np.int64], Float32]]:
    """Input of one series after the other; the next ones are prepared in threads meanwhile."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[NDArray[np.int64], Future[Float32]]] = deque()
        try:
            for series, part in jobs:
                waiting.append((part, pool.submit(_images, store, series, part, spec)))
                if len(waiting) > workers:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _not_finite(store: SliceStore, rows: NDArray[np.int64]) -> DataError:
    names = [store.table["slice_id"][int(row)].as_py() for row in rows[:5]]
    return DataError(
        f"features: expected finite values, found NaN or infinity for {len(rows)} slices, such as {names}; "
        "use an earlier epoch's weights or precision 32"
    )
