"""Evaluates a synthetic table of predictions of RSNA's size: time of the whole and of each part, and peak memory.

    python benchmarks/evaluate_large.py [--slices 750000] [--out FILE.json]

The table is like RSNA 2019: 18,000 patients, 21,000 scans, slices of a scan alike. Thresholds are chosen on it, so that
all parts have something to do. Needs the extra `data` and scipy.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

PATIENTS, SCANS, SLICES = 18_000, 21_000, 750_000
BARS = {"seconds": 180.0, "peak_gb": 4.0}
SHARES = (0.05, 0.5, 0.35, 0.45, 0.6)
"""Of the scans with hemorrhage, those with each type; many have several."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=SLICES)
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--report", type=Path, help="folder to keep the report in")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(evaluated(arguments.child, arguments.report or arguments.child / "report")))
        return
    from machine import facts

    with tempfile.TemporaryDirectory() as folder:
        machine = facts()
        write_tables(Path(folder), arguments.slices)
        command = [sys.executable, __file__, "--child", folder]
        if arguments.report is not None:
            command += ["--report", str(arguments.report)]
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss / 1e6
    result: dict[str, Any] = {"machine": machine, "slices": arguments.slices, "seconds": round(seconds, 1)}
    result["cpu_seconds"] = round(used.ru_utime + used.ru_stime, 1)
    result |= {"peak_gb": round(peak, 2), "bars": BARS, **json.loads(done.stdout.splitlines()[-1])}
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    if arguments.slices == SLICES and (seconds > BARS["seconds"] or peak > BARS["peak_gb"]):
        raise SystemExit(f"expected at most {BARS}")


def evaluated(folder: Path, out: Path) -> dict[str, Any]:
    """Seconds of each step."""
    from ichscan.evaluate.operating import parse_rule
    from ichscan.evaluate.part import Options
    from ichscan.evaluate.run import Request, evaluate

    steps: list[tuple[str, float]] = [("read and align", time.perf_counter())]
    request = Request(str(folder / "predictions.parquet"), labels=folder / "labels.parquet", rule=parse_rule("youden"))
    evaluate(request, Options(out), tell=lambda line: steps.append((line, time.perf_counter())))
    steps.append(("", time.perf_counter()))
    seconds: dict[str, float] = {}
    for (name, start), (_, end) in itertools.pairwise(steps):
        seconds[name[:60]] = round(seconds.get(name[:60], 0.0) + end - start, 1)
    return {"seconds_of_steps": seconds, "report_kb": round((out / "report.html").stat().st_size / 1e3)}


def write_tables(folder: Path, slices: int) -> None:
    """Predictions and labels, Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ichscan.labels import LABELS, TYPES

    rng = np.random.default_rng(0)
    scans, patients = max(slices * SCANS // SLICES, 10), max(slices * PATIENTS // SLICES, 10)
    scan = np.sort(rng.integers(0, scans, slices))
    patient = np.sort(np.concatenate([np.arange(patients), rng.integers(0, patients, scans - patients)]))[scan]
    start = np.searchsorted(scan, scan, side="left")
    end = np.searchsorted(scan, scan, side="right")
    place = (np.arange(slices) - start + 0.5) / (end - start)
    bleeding = rng.random(scans) < 0.4
    truth, p = np.empty((slices, 6), np.uint8), np.empty((slices, 6))
    for c in range(len(TYPES)):
        has = bleeding & (rng.random(scans) < SHARES[c])
        middle, reach = rng.uniform(0.3, 0.7, scans), rng.uniform(0.05, 0.25, scans)
        truth[:, c] = has[scan] & (np.abs(place - middle[scan]) < reach[scan])
    truth[:, 5] = truth[:, :5].max(axis=1)
    for c in range(6):
        alike = rng.normal(0, 1, scans)[scan] + rng.normal(0, 0.7, slices)
        p[:, c] = 1 / (1 + np.exp(-(4.0 * truth[:, c] - 4.5 + 1.2 * alike)))
    ids = pa.array([f"ID_{number:09d}" for number in range(slices)])
    shared = {"slice_id": ids, "series_uid": pa.array([f"1.2.{s}" for s in scan]), "patient_id": _named(patient)}
    pq.write_table(
        pa.table({"slice_id": ids, **dict(zip(LABELS, p.T.copy(), strict=True))}), folder / "predictions.parquet"
    )
    pq.write_table(pa.table({**shared, **dict(zip(LABELS, truth.T.copy(), strict=True))}), folder / "labels.parquet")


def _named(numbers: Any) -> Any:
    import pyarrow as pa

    return pa.array([f"P{number:06d}" for number in numbers])


if __name__ == "__main__":
    main()
