"""How fast studies are received, and when they have results: `python -m benchmarks.receive`.

Four associations send 100 studies of 36 slices of 512 x 512 at once, by dcmtk's storescu. First to the DICOM node
alone and to dcmtk's storescp, in turns, on the same disk; then to the whole service with its packaged model. Images
are counted afterwards: none may be missing. Writes `receive.json` beside this file.
"""

import argparse
import json
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from benchmarks.receive_service import measure_service
from benchmarks.receive_studies import SLICES, environment, program, send, write_studies

NODE = """
import signal, sys, threading
from pathlib import Path
from ichscan.service.logs import start_logging
from ichscan.service.node import Node
from ichscan.service.settings import DicomSettings, Settings, StorageSettings
from ichscan.service.spool import Spool
start_logging("text", "node")
settings = Settings(Path(sys.argv[1]), dicom=DicomSettings(port=int(sys.argv[2])), storage=StorageSettings(free_gb=0.1))
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *told: stop.set())
node = Node(settings, Spool(settings))
node.start()
stop.wait()
node.stop()
"""
RECEIVERS = {"node": False, "storescp": False, "storescp, TCP_NODELAY=1": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: of temporary files")
    parser.add_argument("--no-service", action="store_true", help="measure receiving alone")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"machine": facts(), "studies": arguments.studies, "slices": SLICES}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        shares = write_studies(folder / "send", arguments.studies)
        images = arguments.studies * SLICES
        megabytes = sum(path.stat().st_size for path in (folder / "send").rglob("*") if path.is_file()) / 1e6
        results["megabytes"] = round(megabytes)
        results["receiving"] = _receiving(folder, shares, images, arguments.repeat)
        if not arguments.no_service:
            results["service"] = measure_service(folder / "service", shares, arguments.studies)
    print(json.dumps(results, indent=2))
    if arguments.studies == parser.get_default("studies") and not arguments.no_service:
        (Path(__file__).parent / "receive.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _receiving(folder: Path, shares: list[Path], images: int, repeat: int) -> list[dict[str, Any]]:
    """Images per second of each receiver, by senders that set TCP_NODELAY and that do not; in turns."""
    rates: dict[tuple[str, bool], list[float]] = {}
    memory = 0.0
    for turn in range(repeat + 1):
        for receiver, tuned in RECEIVERS.items():
            for no_delay in (True, False):
                target = folder / "received"
                target.mkdir()
                with _receiver(receiver, tuned, target) as (process, port):
                    seconds = send(shares, port, no_delay=no_delay)
                    if receiver == "node":
                        memory = max(memory, peak_mb(process.pid))
                found = sum(path.suffix != ".end" for path in target.rglob("*") if path.is_file())
                if found != images:
                    raise SystemExit(f"{receiver}: expected {images} images, found {found}")
                shutil.rmtree(target)
                if turn:  # the first is not counted: it fills the cache of the disk
                    rates.setdefault((receiver, no_delay), []).append(images / seconds)
                print(f"{receiver:26} senders' TCP_NODELAY {no_delay!s:6}{images / seconds:8.0f} images/s", flush=True)
    return [
        {
            "receiver": receiver,
            "senders_no_delay": no_delay,
            "images_per_s": {
                "median": round(statistics.median(found)),
                "low": round(min(found)),
                "high": round(max(found)),
            },
            **({"peak_mb": round(memory)} if receiver == "node" else {}),
        }
        for (receiver, no_delay), found in rates.items()
    ]


@contextmanager
def _receiver(name: str, tuned: bool, target: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    if name == "node":
        command = [sys.executable, "-c", NODE, str(target), str(port)]
    else:
        command = [program("storescp"), "--fork", "-od", str(target), str(port)]
    process = subprocess.Popen(command, env=environment(tuned), stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait(port: int) -> None:
    for _ in range(200):
        done = subprocess.run(
            [program("echoscu"), "-q", "-aec", "ICHSCAN", "127.0.0.1", str(port)], capture_output=True, check=False
        )
        if done.returncode == 0:
            return
        time.sleep(0.05)
    raise SystemExit("the receiver did not start")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def peak_mb(process: int) -> float:
    """Largest resident memory that a process had."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
