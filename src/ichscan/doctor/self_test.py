"""A self-test of a model on a drawn head: does it run, and does it still give the values it gave when it was made?"""

from typing import Final

import numpy as np

from ichscan.errors import BundleError
from ichscan.model.bundle import Bundle
from ichscan.model.predict import predict
from ichscan.types import Float32, Volume

GOLDEN: Final = "self_test"
"""Key in the spec's `about`: the six scan probabilities of `self_test_volume`, stored when the bundle is made."""
TOLERANCE: Final = 1e-3
"""Other processors sum in another order; a wrong network or preprocessing is off by far more."""


def self_test_volume() -> Volume:
    """A drawn head in five slices, 5 mm apart: skull, brain, ventricles and one bright ellipse. The same each time."""
    rows = cols = 256
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j]
    hu = np.full((5, rows, cols), -1000, np.int16)
    for i, size in enumerate((0.70, 0.78, 0.82, 0.78, 0.70)):
        radius = np.hypot(x / (size * 0.82), y / size)
        hu[i][radius < 1.0] = 40
        hu[i][radius < 0.96] = 1100
        hu[i][radius < 0.88] = 33
        hu[i][np.hypot((np.abs(x) - 0.09) / 0.06, (y + 0.05) / 0.22) < 1] = 6
        hu[i][np.hypot((x - 0.32) / 0.12, (y - 0.1) / 0.16) < 1] = 68
    return Volume(
        hu=hu,
        positions_mm=np.arange(5, dtype=np.float64) * 5.0,
        spacing_mm=(0.9, 0.9),
        orientation=None,
        origins=None,
        sop_instance_uids=("",) * 5,
        files=tuple(f"drawn slice {i + 1}" for i in range(5)),
        study_instance_uid="",
        series_instance_uid="self-test",
    )


def self_test(bundle: Bundle) -> Float32:
    """Runs the model on the drawn head.

    Returns:
        float32 (6,), the scan probabilities.

    Raises:
        BundleError: probabilities outside [0, 1], or other than the golden ones in the spec.
    """
    found = predict(self_test_volume(), bundle, class_maps=True)
    if not (found.slices.min() >= 0 and found.slices.max() <= 1 and found.scan.min() >= 0 and found.scan.max() <= 1):
        raise BundleError(f"{bundle.folder}: the self-test gave probabilities outside 0..1; reinstall the model")
    golden = bundle.spec.about.get(GOLDEN)
    if golden is not None:
        expected = np.asarray(golden, np.float64)
        if expected.shape != found.scan.shape or not np.allclose(expected, found.scan, rtol=0, atol=TOLERANCE):
            raise BundleError(
                f"{bundle.folder}: the self-test expected the scan probabilities {_shown(expected)}, found "
                f"{_shown(found.scan)}; reinstall ichscan and its dependencies as locked"
            )
    return found.scan


def _shown(values: object) -> str:
    return ", ".join(f"{float(v):.4f}" for v in np.asarray(values, np.float64).ravel())
