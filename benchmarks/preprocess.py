"""Preprocessing on one core, ms per slice: ichscan against the papers' float64 formula, and their difference."""

import argparse
import json
import os
from pathlib import Path

import cv2
import numpy as np

from ichscan.model.preprocess import model_input
from ichscan.model.spec import Channel, InputSpec, load_spec
from measure import alternate_functions
from papers_formula import papers_input
from series import head

WINDOWS = (Channel(40, 80), Channel(80, 200), Channel(40, 380))


def papers_spec(size: int) -> InputSpec:
    """The three windows of Alqaisi & Almashagbeh 2025 and Burduja et al. 2020."""
    return InputSpec(WINDOWS, "slice", size, (0.2236, 0.1819, 0.2523), (0.3245, 0.3245, 0.3133))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("head", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    cv2.setNumThreads(1)
    specs = {"papers, 480": papers_spec(480), "papers, 256": papers_spec(256)}
    if arguments.model:
        bundle = load_spec(arguments.model)
        specs[f"{bundle.name}, {bundle.input.size}"] = bundle.input
    volume = head(arguments.head)
    spacing = volume.spacing_mm[1] if volume.spacing_mm else None
    hu64, positions = volume.hu.astype(np.float64), volume.positions_mm
    rows = {}
    for name, spec in specs.items():
        times = alternate_functions(
            {
                "ichscan": lambda spec=spec: model_input(volume.hu, positions, spec, spacing),
                "float64": lambda spec=spec: papers_input(hu64, list(positions), spec, spacing),
            },
            arguments.repeats,
        )
        ours, theirs = (
            model_input(volume.hu, positions, spec, spacing)[0],
            papers_input(hu64, list(positions), spec, spacing),
        )
        grey = 255 * np.abs(ours - theirs) * np.array(spec.std, np.float32)[:, None, None]
        rows[name] = {
            "ms_per_slice": {key: _per_slice(value, len(volume.hu)) for key, value in times.items()},
            "largest_difference_grey_levels": round(float(grey.max()), 3),
        }
    print(json.dumps(rows))


def _per_slice(summary: "object", slices: int) -> dict[str, float]:
    return {key: round(getattr(summary, key) * 1000 / slices, 3) for key in ("median", "low", "high")}


if __name__ == "__main__":
    main()
