"""What each form of a result costs on a scan of 36 slices: `python -m benchmarks.exports [IMAGES]`.

Without images, a bundled head with a simulated bleed is read and repeated to 36 slices. Times are the median of
`--repeat` runs in one process after one run that is not counted, which imports the libraries; writing to disk is
included. On a busy machine the processor's time tells more than the clock's.

With `--cold` the whole command is timed instead, each time in a process of its own: libraries are imported, and for
`--heatmaps` the network reads suspicious slices at a second size.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.receive_studies import write_studies

from ichscan.demo import write_demo
from ichscan.pipeline import examine
from ichscan.report.exports import KINDS, Images, export
from ichscan.report.files import skull
from ichscan.report.find import find
from ichscan.types import Report, Volume

SLICES = 36


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="*", type=Path, help="a scan; default: a bundled one with a simulated bleed")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="time `ichscan predict` as a whole, without other images")
    arguments = parser.parse_args()
    if arguments.cold:
        _measure_cold(arguments.repeat)
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = arguments.images or [write_demo(Path(folder) / "demo")[-1]]
        report, volume = next(iter(examine(paths, class_maps=True, fine_maps=True)))
        if volume is None or report.prediction is None:
            raise SystemExit(f"not analysed: {report.reason}")
        if not arguments.images:
            report, volume = _repeated(report, volume)
        _measure(report, volume, Path(folder), arguments.repeat)


def _measure_cold(repeat: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scan = write_studies(folder / "send", 1)[0]
        rows = {"--out alone": [], **{f"--{kind}": [f"--{kind}"] for kind in KINDS}}
        rows["all exports"] = [f"--{kind}" for kind in KINDS]
        found: dict[str, list[float]] = {row: [] for row in rows}
        for turn in range(repeat + 1):  # in turns; the first is not counted
            for row, options in rows.items():
                out = folder / f"{turn} {row}"
                command = [sys.executable, "-m", "ichscan", "predict", str(scan), "--out", str(out), *options]
                start = time.perf_counter()
                subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
                found[row] += [time.perf_counter() - start] if turn else []
    base = statistics.median(found["--out alone"])
    for row, seconds in found.items():
        median = statistics.median(seconds)
        spread = f"({min(seconds):.2f}-{max(seconds):.2f})"
        print(f"{row:22}{median:8.2f} s {spread}, more than --out alone: {median - base:.2f} s")


def _measure(report: Report, volume: Volume, folder: Path, repeat: int) -> None:
    print(f"{len(volume.hu)} slices of {volume.hu.shape[1]} x {volume.hu.shape[2]}, median of {repeat}")
    mask = skull(report, volume)
    findings = find(report, volume, mask)
    images = Images(report, volume, mask)
    rows: dict[str, Callable[[], object]] = {
        "inside of the skull": lambda: skull(report, volume),
        "findings": lambda: find(report, volume, mask),
    }
    for kind in KINDS:
        rows[f"--{kind}"] = lambda kind=kind: export(findings, images, {kind}, folder, "one")
    rows["--sr --heatmaps"] = lambda: export(findings, images, {"sr", "heatmaps"}, folder, "one")
    rows["all exports"] = lambda: export(findings, images, KINDS, folder, "one")
    for name, run in rows.items():
        wall, processor = _median(run, repeat)
        print(f"{name:22}{wall:8.3f} s, processor {processor:.3f} s")


def _median(run: Callable[[], object], repeat: int) -> tuple[float, float]:
    run()
    walls, processors = [], []
    for _ in range(repeat):
        start, used = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - start)
        processors.append(time.process_time() - used)
    return statistics.median(walls), statistics.median(processors)


def _repeated(report: Report, volume: Volume) -> tuple[Report, Volume]:
    """The scan with its upper slices repeated until there are `SLICES`."""
    prediction = report.prediction
    if prediction is None or volume.origins is None or prediction.class_maps is None or prediction.lesion_maps is None:
        raise SystemExit("expected a scan with maps and geometry")
    index = np.sort(np.resize(np.arange(len(volume.hu)), SLICES))
    positions = np.linspace(volume.positions_mm[0], volume.positions_mm[-1], SLICES)
    origins = np.linspace(volume.origins[0], volume.origins[-1], SLICES)
    uids = tuple(f"1.2.3.{i + 1}" for i in range(SLICES))
    files = tuple(volume.files[i] for i in index)
    volume = replace(
        volume,
        hu=volume.hu[index],
        positions_mm=positions,
        origins=origins,
        sop_instance_uids=uids,
        files=files,
        gaps=(),
    )
    prediction = replace(
        prediction,
        slices=prediction.slices[index],
        class_maps=prediction.class_maps[index],
        lesion_maps=prediction.lesion_maps[index],
        boxes=prediction.boxes[index],
    )
    report = replace(
        report,
        slices=SLICES,
        prediction=prediction,
        positions_mm=tuple(positions.tolist()),
        sop_instance_uids=uids,
        files=files,
    )
    return report, volume


if __name__ == "__main__":
    main()
