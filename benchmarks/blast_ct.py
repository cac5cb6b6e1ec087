"""BLAST-CT on CT-ICH: the peer that the default model is measured against, slice and patient AUC and seconds per scan.

python benchmarks/blast_ct.py --data path/to/ct-ich-1.0.0 --weights path/to/blast-ct/model_1.safetensors [--patients 5]
Score of a slice: mean of its 100 most probable blood voxels; of a patient: its highest slice.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np

from ichscan.datasets.ctich import read_ctich
from ichscan.evaluate.intervals import bootstrap_by_patient
from ichscan.evaluate.metrics import auc
from ichscan.labels import ANY
from ichscan.train.targets import ASSUMED_MM, BLOOD_CLASSES
from ichscan.train.teacher import compile_teacher, soft_masks

VOXELS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=None, help="only the first ones")
    arguments = parser.parse_args()
    scores, labels, patients, seconds = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        run = compile_teacher(arguments.weights, Path(folder))
        for scan in itertools.islice(read_ctich(arguments.data), arguments.patients):
            start = time.perf_counter()
            masks = soft_masks(run, scan, ASSUMED_MM)
            seconds.append(time.perf_counter() - start)
            blood = masks[:, list(BLOOD_CLASSES)].astype(np.float64).sum(axis=1).reshape(len(masks), -1)
            scores.append(np.sort(blood, axis=1)[:, -VOXELS:].mean(axis=1) / 255)
            labels.append(scan.labels[:, ANY])
            patients += [scan.patient] * len(masks)
            print(f"{scan.patient}: {seconds[-1]:.1f} s, highest slice {scores[-1].max():.3f}", flush=True)
    flat, truth = np.concatenate(scores), np.concatenate(labels)
    low, high = bootstrap_by_patient(auc, flat, truth, np.array(patients))
    print(f"slices: AUC {auc(flat, truth):.3f} ({low:.3f}-{high:.3f}), {len(flat)} slices")
    top, any_bleed = np.array([s.max() for s in scores]), np.array([y.max() for y in labels], np.uint8)
    low, high = bootstrap_by_patient(auc, top, any_bleed, np.arange(len(top)).astype(str))
    print(f"patients: AUC {auc(top, any_bleed):.3f} ({low:.3f}-{high:.3f}), {len(top)} patients")
    print(f"seconds per scan: median {np.median(seconds):.1f} ({min(seconds):.1f}-{max(seconds):.1f})")


if __name__ == "__main__":
    main()
