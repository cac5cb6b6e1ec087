"""Measures everything and writes `docs/benchmarks.md` and `benchmarks/results.json`.

    python benchmarks/run.py [--data FOLDER] [--repeats 5]

Needs the extra `train` (torch is the opponent) and, for pydicom's side of the reading table, the group `bench`. Close
other programs first: the page says how busy the machine was. Only the standard library is imported here (`measure.py`
says why).
"""

import argparse
import datetime
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine
from measure import run_process
from page import page
from predict_cold import measure

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DEMO = ROOT / "src" / "ichscan" / "demo_data"
MODEL = ROOT / "src" / "ichscan" / "models" / "default"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder with real scans")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT, help="where docs/ and benchmarks/ are written")
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine.facts(),
        "repeats": arguments.repeats,
        **everything(arguments.data, arguments.model, arguments.repeats),
    }
    for relative, text in {
        "benchmarks/results.json": json.dumps(results, indent=1) + "\n",
        "docs/benchmarks.md": page(results),
    }.items():
        target = arguments.out / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"wrote {relative}")


def default_data() -> Path:
    configured = os.environ.get("ICHSCAN_TEST_DATA")
    return Path(configured) if configured else ROOT.parent / "shared" / "data"


def head_folder(data: Path) -> Path:
    """The GE head: from the real scans when they are there, else the copy inside the package."""
    real = data / "dcm_qa_ct" / "ge"
    return real if real.is_dir() else DEMO


def everything(data: Path, model: Path, repeats: int) -> dict[str, Any]:
    head = head_folder(data)
    with tempfile.TemporaryDirectory() as folder:
        scan, thin = Path(folder) / "scan", Path(folder) / "thin"
        scan.mkdir()
        thin.mkdir()
        loose = data / "rsna-2019-sample" / "stage_2_test"
        if loose.is_dir():
            script("series.py", "study", str(loose), str(scan))
        else:
            script("series.py", "thin", str(head), str(scan), "--slices", "34")
        script("series.py", "thin", str(head), str(thin))
        say("predict, cold process, against torch")
        cold = measure(scan, model, repeats)
        say("predict, thin series")
        thin_result = measure(thin, model, repeats, against_torch=False)
    say("preprocessing")
    preprocessing = script("preprocess.py", str(head), "--model", str(model), "--repeats", str(repeats))
    say("reading")
    reading = script("reading.py", str(head), "--repeats", str(repeats))
    return {
        "predict_cold": cold,
        "thin_series": thin_result,
        "preprocess": json.loads(preprocessing),
        "reading": json.loads(reading),
    }


def say(what: str) -> None:
    print(f"measuring: {what}", flush=True)


def script(name: str, *arguments: str) -> str:
    """Runs a script of this folder in a process of its own; returns what it printed."""
    return run_process([sys.executable, "-W", "ignore", str(HERE / name), *arguments])[2]


if __name__ == "__main__":
    main()
