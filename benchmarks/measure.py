"""Wall time and peak memory, measured side by side: alternating runs, first round discarded."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Summary:
    """Median and range of some runs."""

    median: float
    low: float
    high: float
    runs: int

    @staticmethod
    def of(values: Sequence[float]) -> "Summary":
        return Summary(statistics.median(values), min(values), max(values), len(values))

    def json(self) -> dict[str, Any]:
        return {key: round(value, 4) for key, value in asdict(self).items()}


def run_process(command: Sequence[str], accept: Sequence[int] = (0,)) -> tuple[float, float, str]:
    """Runs a command to its end: seconds, peak resident MB, standard output.

    The peak is that of `getrusage` for exactly this child (`wait4`). A child starts with its parent's peak, so the
    parent must be small: the runner imports nothing but the standard library.
    """
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = child.stdout.read() if child.stdout else ""
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in accept:
        raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}")
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_maxrss * kilobyte / 1e6, output


def alternate_processes(commands: Mapping[str, Sequence[str]], repeats: int) -> dict[str, dict[str, Any]]:
    """Runs the commands in turns, `repeats` rounds after one that warms the file cache."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    peaks: dict[str, list[float]] = {name: [] for name in commands}
    outputs: dict[str, str] = {}
    for turn in range(repeats + 1):
        for name, command in commands.items():
            wall, peak, outputs[name] = run_process(command)
            if turn:
                seconds[name].append(wall)
                peaks[name].append(peak)
    return {
        name: {"wall_s": Summary.of(seconds[name]), "peak_mb": Summary.of(peaks[name]), "output": outputs[name]}
        for name in commands
    }


def alternate_functions(functions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Summary]:
    """Seconds per call of functions called in turns, `repeats` rounds after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: Summary.of(values) for name, values in seconds.items()}
