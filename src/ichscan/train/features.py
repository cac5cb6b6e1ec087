"""Embeddings of every slice by a trained slice network: no augmentation, deterministic, resumable.

Alqaisi & Almashagbeh 2025, section 3.4.7: after each epoch the pooled features of every slice are saved. Test-time
variants (left-right flip, transposed) may be added; their mean is then kept as well.
"""

import dataclasses
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ichscan.datasets.store import SliceStore
from ichscan.errors import DataError, UsageError
from ichscan.model.spec import InputSpec
from ichscan.scale.executor import Executor
from ichscan.train.classifier import SliceClassifier
from ichscan.train.feature_pass import TRANSFORMS as TRANSFORMS
from ichscan.train.feature_pass import FeaturePass, Piece, by_series, images_of
from ichscan.train.feature_store import FeatureSet, FeatureWriter, open_features
from ichscan.train.feature_tasks import spread
from ichscan.types import Float32

KEEP_EVERY: Final = 2048
"""Slices between two points at which a killed extraction continues."""
Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Extraction:
    """How features are computed.

    Attributes:
        variants: keys of `TRANSFORMS`.
        batch: slices per forward pass.
        precision: "32", or "bf16" / "fp16" for the forward pass; stored as float32.
        workers: threads that prepare input.
    """

    variants: Sequence[str] = ("none",)
    batch: int = 64
    precision: str = "32"
    workers: int = 2


def extract(
    network: SliceClassifier,
    store: SliceStore,
    rows: NDArray[np.int64],
    spec: InputSpec,
    folder: Path,
    how: Extraction = Extraction(),
    *,
    executor: Executor | None = None,
    progress: Progress = lambda done, total: None,
) -> FeatureSet:
    """Features of `rows` of the store, in the order of the table; continues or returns what is in `folder`.

    Args:
        network: on its device; switched to evaluation.
        store: with the whole series around the rows (neighbouring slices may be channels).
        rows: int64 (n,), rows of the store's table, any order, each once.
        spec: the network's input contract.
        folder: for the set; see `ichscan.train.feature_store`.
        how: variants, batch and precision.
        executor: computes series by series elsewhere, for example on several machines; this process only writes.
        progress: called with slices done and in all.

    Raises:
        DataError: a feature is NaN or infinite (the slices are named), or a row is not in the store.
        UsageError: unknown variant, or the folder holds other features.
        OutputError: disk full.
    """
    variants = how.variants
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
        _identity(network, store, wanted, spec, variants, how.precision),
    )
    if not writer.finished:
        forward = FeaturePass(network, tuple(variants), how.batch, how.precision)
        made = (
            _ahead(forward, store, writer.done, wanted, spec, how.workers)
            if executor is None
            else spread(executor, forward, store, writer.done, wanted, spec)
        )
        _write(writer, made, len(wanted), progress)
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


def _write(writer: FeatureWriter, made: Iterable[Piece], total: int, progress: Progress) -> None:
    kept = writer.done
    for start, arrays in made:
        writer.write(start, arrays)
        if writer.done - kept >= KEEP_EVERY:
            writer.keep()
            kept = writer.done
        progress(writer.written, total)
    writer.finish()


def _ahead(
    forward: FeaturePass, store: SliceStore, start: int, rows: NDArray[np.int64], spec: InputSpec, workers: int
) -> Iterator[Piece]:
    """Features of one series after the other; the input of the next ones is prepared in threads meanwhile."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[NDArray[np.int64], Future[Float32]]] = deque()
        jobs = iter(by_series(store, rows[start:]))
        try:
            while True:
                for series, part in jobs:
                    waiting.append((part, pool.submit(images_of, store, series, part, spec)))
                    if len(waiting) > workers:
                        break
                if not waiting:
                    return
                part, future = waiting.popleft()
                yield start, forward.checked(future.result(), store, part)
                start += len(part)
        finally:
            for _, future in waiting:
                future.cancel()
