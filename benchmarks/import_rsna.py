"""Imports a synthetic RSNA archive: slices a second, peak memory, bytes a slice, against what the codecs alone take.

    python benchmarks/import_rsna.py [--slices 20000] [--out FILE.json] [--workers N]

Imports two archives, one a quarter of the other: memory must not grow with the collection. Needs some 420 KB of free
disk per slice for the archive and the store, both removed afterwards. Needs the extra `data`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BYTES_PER_SLICE = 520_000
SAMPLE = 600
BARS = {"mb_per_worker": 400.0, "growth": 1.25, "kb_per_slice": 200.0, "share_of_limit": 0.5}
"""Memory per process, memory of the whole against the quarter, size, speed against the codecs alone."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--head", type=Path, default=HERE.parent / "src" / "ichscan" / "demo_data")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--scratch", type=Path, help="folder for the archive and the store")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        free = shutil.disk_usage(folder).free
        if free < arguments.slices * BYTES_PER_SLICE:
            raise SystemExit(
                f"{folder}: {free / 1e9:.1f} GB free, {arguments.slices * BYTES_PER_SLICE / 1e9:.1f} needed"
            )
        result = measure(arguments.slices, arguments.workers, arguments.head, Path(folder))
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")


def measure(slices: int, workers: int, head: Path, folder: Path) -> dict[str, Any]:
    from ichscan.datasets.store import open_store
    from synthetic_rsna import write_archive

    runs = {}
    for name, count in (("quarter", slices // 4), ("whole", slices)):
        archive, store = folder / f"{name}.zip", folder / name
        write_archive(archive, count, head)
        runs[name] = {"slices": count, "archive_mb": archive.stat().st_size / 1e6, **timed(archive, store, workers)}
        manifest = open_store(store).manifest
        if manifest["counts"]["slices"] != count or manifest["problems"]:
            raise SystemExit(
                f"expected {count} slices and no problems, found {manifest['counts']}, {manifest['problems']}"
            )
        runs[name]["kb_per_slice"] = sum(p.stat().st_size for p in store.rglob("*") if p.is_file()) / count / 1e3
        if name == "whole":
            runs[name]["random_read_ms"] = random_read_ms(store)
            runs[name]["limit_per_s"] = limit_per_s(archive, workers)
        archive.unlink()
        shutil.rmtree(store)
    return {"workers": workers, **runs, "bars": judged(runs, workers)}


def timed(archive: Path, store: Path, workers: int) -> dict[str, float]:
    """Imports in a process of its own; seconds, slices a second, peak MB of all its processes together."""
    command = [sys.executable, "-m", "ichscan", "data", "import", "rsna", str(archive), "--out", str(store)]
    start = time.perf_counter()
    child = subprocess.Popen([*command, "--workers", str(workers)], stdout=subprocess.DEVNULL)
    peak = 0.0
    while child.poll() is None:
        peak = max(peak, tree_mb(child.pid))
        time.sleep(0.1)
    seconds = time.perf_counter() - start
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}")
    from ichscan.datasets.store import open_store

    return {"seconds": seconds, "per_s": open_store(store).manifest["counts"]["slices"] / seconds, "peak_mb": peak}


def tree_mb(pid: int) -> float:
    """Proportional set size of a process and all below it, MB: shared pages count once."""
    total, todo = 0, [pid]
    while todo:
        one = todo.pop()
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii")
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
            todo += [int(p) for p in Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii").split()]
        except (OSError, StopIteration):
            continue  # it has ended in the meantime
    return total * 1024 / 1e6


def random_read_ms(store_path: Path) -> float:
    """Milliseconds to read one slice at a random place."""
    import numpy as np

    from ichscan.datasets.store import open_store

    store = open_store(store_path)
    rows = np.random.default_rng(0).integers(0, len(store), SAMPLE)
    store.hu(0)
    start = time.perf_counter()
    store.hu_many(rows)
    return (time.perf_counter() - start) / len(rows) * 1e3


def limit_per_s(archive: Path, workers: int) -> float:
    """Slices a second on all cores at once of nothing but what cannot be left out: inflate, checksums, compress."""
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(codecs_alone, [archive] * workers))  # imports, caches
        return sum(pool.map(codecs_alone, [archive] * workers))


def codecs_alone(archive: Path) -> float:
    """Slices a second of one process."""
    import numpy as np

    from ichscan.datasets.bigzip import EntrySource, entries
    from ichscan.datasets.codec import encode

    members = [e for _, e in zip(range(SAMPLE), entries(archive), strict=False) if e.name.endswith(".dcm")]
    start = time.perf_counter()
    for entry in members:
        data = EntrySource(archive, entry).read()
        encode(np.frombuffer(data[-512 * 512 * 2 :], "<i2").reshape(512, 512))
    return len(members) / (time.perf_counter() - start)


def judged(runs: dict[str, dict[str, Any]], workers: int) -> dict[str, Any]:
    """Each bar with what was found and whether it is met."""
    whole = runs["whole"]
    found = {
        "mb_per_worker": whole["peak_mb"] / (workers + 1),
        "growth": whole["peak_mb"] / runs["quarter"]["peak_mb"],
        "kb_per_slice": whole["kb_per_slice"],
        "share_of_limit": whole["per_s"] / whole["limit_per_s"],
    }
    met = {name: (found[name] >= bar if name == "share_of_limit" else found[name] <= bar) for name, bar in BARS.items()}
    return {name: {"found": found[name], "bar": bar, "met": bool(met[name])} for name, bar in BARS.items()}


if __name__ == "__main__":
    main()
