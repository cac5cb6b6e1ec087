"""The same network on the same scan the usual way: pydicom one by one, float64 windows, eager torch, default settings.

Prints the probabilities as JSON, so that the comparison can check that both sides computed the same thing.
"""

import argparse
import json
from pathlib import Path

import cv2  # noqa: F401  (imported at the top, as scripts of this kind do)
import numpy as np
import pydicom
import timm  # noqa: F401  (the network's home in the usual script; importing it is part of the usual start-up)
import torch

from ichscan.model.spec import Spec, load_spec
from onnx_in_torch import OnnxInTorch
from papers_formula import papers_input

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    arguments = parser.parse_args()
    spec = load_spec(arguments.model)
    hu, positions, spacing = read(arguments.folder)
    x = papers_input(hu, positions, spec.input, spacing)
    network = OnnxInTorch(arguments.model / "slice.onnx")
    evidence = torch.cat([network.run(torch.from_numpy(x[i : i + BATCH]))["evidence"] for i in range(0, len(x), BATCH)])
    slice_logits, scan_logits = scan(OnnxInTorch(arguments.model / "scan.onnx"), evidence, positions, spec)
    print(
        json.dumps(
            {
                "slices": probabilities(slice_logits, spec, "slice").tolist(),
                "scan": probabilities(scan_logits, spec, "scan").tolist(),
            }
        )
    )


def read(folder: Path) -> tuple[np.ndarray, list[float], float]:
    """HU float64 (slices, rows, cols), positions along the normal, column spacing."""
    slices = []
    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        row, column = np.split(np.array(dataset.ImageOrientationPatient, np.float64), 2)
        position = float(np.array(dataset.ImagePositionPatient, np.float64) @ np.cross(row, column))
        hu = dataset.pixel_array.astype(np.float64) * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        slices.append((position, np.maximum(hu, -1024), float(dataset.PixelSpacing[1])))
    slices.sort(key=lambda one: one[0])
    return np.stack([hu for _, hu, _ in slices]), [position for position, _, _ in slices], slices[0][2]


def scan(
    network: OnnxInTorch, evidence: torch.Tensor, positions: list[float], spec: Spec
) -> tuple[np.ndarray, np.ndarray]:
    distance = float(np.median(np.diff(positions)))
    stride = max(1, round(spec.input.sequence_mm / distance)) if spec.input.sequence_mm else 1
    slices = np.zeros((len(evidence), len(spec.labels)))
    scans = []
    for first in range(stride):
        found = network.run(evidence[first::stride])
        slices[first::stride] = found["slice_logits"].numpy()
        scans.append(found["scan_logits"].numpy())
    return slices, np.mean(scans, axis=0)


def probabilities(logits: np.ndarray, spec: Spec, level: str) -> np.ndarray:
    calibration = spec.calibration[level]
    return 1 / (1 + np.exp(-(logits * np.array(calibration.scale) + np.array(calibration.offset))))


if __name__ == "__main__":
    main()
