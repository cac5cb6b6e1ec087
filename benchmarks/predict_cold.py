"""One scan from a cold process: `ichscan predict` against the same network run the usual way, in turns."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from measure import alternate_processes

HERE = Path(__file__).resolve().parent


def measure(folder: Path, model: Path, repeats: int, against_torch: bool = True) -> dict[str, Any]:
    """Wall seconds, peak MB, their ratio, and the largest difference of any probability."""
    ichscan = [sys.executable, "-m", "ichscan", "predict", str(folder), "--json", "-", "--model", str(model)]
    commands = {"ichscan": ichscan}
    if against_torch:
        commands["torch"] = [sys.executable, "-W", "ignore", str(HERE / "usual_way.py"), str(folder), str(model)]
    runs = alternate_processes(commands, repeats)
    found: dict[str, Any] = {"slices": len(list(folder.iterdir()))}
    for name, run in runs.items():
        found[name] = {"wall_s": run["wall_s"].json(), "peak_mb": run["peak_mb"].json()}
    if against_torch:
        found["ratio_wall"] = round(runs["ichscan"]["wall_s"].median / runs["torch"]["wall_s"].median, 4)
        found["ratio_memory"] = round(runs["ichscan"]["peak_mb"].median / runs["torch"]["peak_mb"].median, 4)
        found["largest_difference"] = difference(runs["ichscan"]["output"], runs["torch"]["output"])
    return found


def difference(ours: str, theirs: str) -> float:
    """Largest absolute difference of a probability between the result JSON and the usual way."""
    result, usual = first_result(ours), json.loads(theirs.splitlines()[-1])
    scan = [entry["probability"] for entry in result["scan"].values()]
    slices = [list(entry["probabilities"].values()) for entry in result["slices"]]
    pairs = list(zip(scan, usual["scan"], strict=True))
    for one, other in zip(slices, usual["slices"], strict=True):
        pairs += zip(one, other, strict=True)
    return round(max(abs(a - b) for a, b in pairs), 6)


def first_result(text: str) -> dict[str, Any]:
    """The analysed series in what `--json -` printed: one object, a list of them, or one per line."""
    try:
        parsed = json.loads(text)
        results = parsed if isinstance(parsed, list) else [parsed]
    except json.JSONDecodeError:
        results = [json.loads(line) for line in text.splitlines() if line.strip()]
    return next(result for result in results if result["status"] == "analysed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="one series of DICOM files")
    parser.add_argument("model", type=Path, help="model bundle")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without-torch", action="store_true")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.folder, arguments.model, arguments.repeats, not arguments.without_torch)))


if __name__ == "__main__":
    main()
