"""Volume + bundle -> Prediction."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from ichscan.errors import BundleError, NotAnalysableError
from ichscan.labels import LABELS
from ichscan.model.bundle import Bundle
from ichscan.model.calibrate import probabilities
from ichscan.model.preprocess import Preparation, chunks, prepare
from ichscan.model.session import Network
from ichscan.model.spec import InputSpec
from ichscan.model.upright import turn_of
from ichscan.types import Float32, Float64, Prediction, Volume

CHUNK: Final = 2
"""Slices per run of the network: on a CPU as fast as 32, with a tenth of the memory for activations."""


def predict(
    volume: Volume,
    bundle: Bundle,
    *,
    class_maps: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Prediction:
    """Probabilities of the six labels for every slice and for the scan.

    The network sees the slices upright (see `ichscan.model.upright`); maps and boxes are in the pixels of the volume.

    Args:
        volume: slices in HU, inferior to superior.
        bundle: a loaded model.
        class_maps: also keep the class activation maps, and lesion maps where the network has them (n x 6 small
            maps each).
        progress: called with the number of slices done so far.

    Raises:
        BundleError: the networks do not fit each other or the spec.
        NotAnalysableError: the networks gave values that are not finite.
    """
    spec = bundle.spec
    start = time.perf_counter()
    turn = turn_of(volume)
    prepared = prepare(turn.pixels(volume.hu), volume.positions_mm, spec.input, turn.column_spacing(volume.spacing_mm))
    timing = {"preprocess": time.perf_counter() - start, "infer": 0.0}
    evidence, *found = _run_slices(prepared, bundle, class_maps, progress, timing)
    maps = [turn.maps(one) for one in found]
    start = time.perf_counter()
    stride = sequence_stride(volume.positions_mm, spec.input.sequence_mm)
    slice_logits, scan_logits = run_scan(evidence, bundle.scan_network, stride)
    timing["infer"] += time.perf_counter() - start
    if not (np.isfinite(slice_logits).all() and np.isfinite(scan_logits).all()):
        raise NotAnalysableError(
            f"{volume.series_instance_uid}: the model {spec.name} {spec.version} gave values that are not numbers; "
            "look at the scan yourself and report this"
        )
    return Prediction(
        slices=probabilities(slice_logits, spec.calibration["slice"]),
        scan=probabilities(scan_logits, spec.calibration["scan"]),
        slice_thresholds=np.asarray(spec.thresholds["slice"].value, np.float32),
        scan_thresholds=np.asarray(spec.thresholds["scan"].value, np.float32),
        model=bundle.identity,
        class_maps=maps[0] if maps else None,
        lesion_maps=maps[1] if len(maps) > 1 else None,
        boxes=turn.boxes(prepared.boxes),
        warnings=_warnings(prepared, spec.input, stride),
        timing_s=timing,
    )


def sequence_stride(positions_mm: Float64, sequence_mm: float) -> int:
    """How many interleaved sequences bring the slice distance near the one the scan network was trained on.

    Args:
        positions_mm: float64 (slices,), ascending.
        sequence_mm: slice distance of the training scans; 0 = never interleave.
    """
    if sequence_mm <= 0 or len(positions_mm) < 2:
        return 1
    distance = float(np.median(np.diff(positions_mm)))
    if not distance > 0:
        return 1
    return min(max(1, round(sequence_mm / distance)), len(positions_mm))


def run_scan(evidence: Float32, network: Network, stride: int) -> tuple[Float32, Float32]:
    """Runs the scan network on every `stride`-th slice, `stride` times, so that each slice is seen once.

    Args:
        evidence: float32 (slices, evidence), inferior to superior.
        network: the bundle's scan network.
        stride: number of interleaved sequences.

    Returns:
        float32 (slices, 6) logits of the slices and float32 (6,) logits of the scan, averaged over the sequences.
    """
    slice_logits = np.empty((len(evidence), len(LABELS)), np.float32)
    scan_logits = np.zeros(len(LABELS), np.float32)
    for first in range(stride):
        part, whole = network.run(
            ["slice_logits", "scan_logits"], evidence=np.ascontiguousarray(evidence[first::stride])
        )
        if part.shape != slice_logits[first::stride].shape or whole.shape != scan_logits.shape:
            raise BundleError(
                f"{network.name}: expected {len(LABELS)} logits per slice and scan, found {part.shape}, {whole.shape}"
            )
        slice_logits[first::stride] = part
        scan_logits += whole / np.float32(stride)
    return slice_logits, scan_logits


def _run_slices(
    prepared: Preparation,
    bundle: Bundle,
    class_maps: bool,
    progress: Callable[[int], None] | None,
    timing: dict[str, float],
) -> list[Float32]:
    """Evidence float32 (slices, evidence) and, if asked for, the maps of all slices; adds to `timing`."""
    outputs = ["evidence"]
    if class_maps:
        outputs += ["class_maps", *({"lesion_maps"} & set(bundle.slice_network.outputs))]
    found: list[list[Float32]] = []
    done = 0
    for batch in _prefetched(prepared, bundle.spec.input, timing):
        start = time.perf_counter()
        found.append(bundle.slice_network.run(outputs, slices=batch))
        timing["infer"] += time.perf_counter() - start
        done += len(batch)
        if progress is not None:
            progress(done)
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _prefetched(prepared: Preparation, spec: InputSpec, timing: dict[str, float]) -> Iterator[Float32]:
    """Chunks of model input; the next is prepared in a thread while the caller runs the network on this one."""
    source = chunks(prepared, spec, CHUNK)

    def following() -> Float32 | None:
        start = time.perf_counter()
        batch = next(source, None)
        timing["preprocess"] += time.perf_counter() - start
        return batch

    with ThreadPoolExecutor(1, "ichscan-preprocess") as pool:
        ahead = pool.submit(following)
        while (batch := ahead.result()) is not None:
            ahead = pool.submit(following)
            yield batch


def _warnings(prepared: Preparation, spec: InputSpec, stride: int) -> tuple[str, ...]:
    found = []
    if prepared.unclipped:
        found.append(
            "The values end at a display window: beyond it, air and bone were assumed for the model. "
            "Give it the original DICOM if you can."
        )
    if prepared.averaged > 1:
        found.append(
            f"Thin slices: each was averaged with its neighbours over {spec.slab_mm:g} mm ({prepared.averaged} slices) "
            "for the model."
        )
    if stride > 1:
        found.append(
            f"Thin slices: the scan was read as {stride} interleaved sequences of about {spec.sequence_mm:g} mm."
        )
    return tuple(found)
