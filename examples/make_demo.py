"""Make src/ichscan/demo_data from the GE head of dcm_qa_ct: run once, by a developer, when the demo head changes.

    python examples/make_demo.py path/to/dcm_qa_ct

Pixels are compressed with JPEG 2000 lossless (DICOM PS3.5 A.4.4) and compared after decoding; private elements are
dropped. The bleeds of the demonstration are computed by `ichscan.demo`, not here.
"""

import shutil
import sys
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

TARGET = Path(__file__).resolve().parents[1] / "src" / "ichscan" / "demo_data"
LIMIT_BYTES = 6_000_000


def main(source: Path) -> None:
    """Compress `source`/ge into the package, inferior slice first, beside the licence of `source`."""
    TARGET.mkdir(parents=True, exist_ok=True)
    slices = [dcmread(path) for path in sorted((source / "ge").glob("*.dcm"))]
    slices.sort(key=lambda data: float(data.ImagePositionPatient[2]))
    for i, data in enumerate(slices, start=1):
        pixels = data.pixel_array
        coded = bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", reversible=True, level=0))
        if not np.array_equal(imagecodecs.jpeg2k_decode(coded), pixels):
            raise SystemExit(f"slice {i}: the compressed pixels differ from the original")
        data.remove_private_tags()
        data.PixelData = encapsulate([coded])
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = JPEG2000Lossless
        data.save_as(TARGET / f"{i:02d}.dcm", enforce_file_format=True)
    shutil.copyfile(source / "LICENSE", TARGET / "LICENSE")
    size = sum(path.stat().st_size for path in TARGET.iterdir())
    if size > LIMIT_BYTES:
        raise SystemExit(f"demo data: expected at most {LIMIT_BYTES} bytes, got {size}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
