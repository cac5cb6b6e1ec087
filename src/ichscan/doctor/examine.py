"""All checks, in the order in which a failure of one explains the next."""

import importlib.metadata
import platform
import sys
import time
from pathlib import Path
from typing import Final

from ichscan import __version__
from ichscan.doctor.check import Check, State
from ichscan.doctor.decoders import check_decoders
from ichscan.doctor.self_test import GOLDEN, self_test
from ichscan.errors import BundleError, IchscanError
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.model.session import available_cpus

PACKAGES: Final = ("numpy", "pydicom", "imagecodecs", "onnxruntime", "opencv-python-headless", "nibabel", "rich")
FEW_CPUS: Final = 2
SLOW_S: Final = 5.0


def examine_installation(model: Path | None = None) -> list[Check]:
    """Looks at everything that `ichscan predict` needs; never raises for what it finds.

    Args:
        model: folder of a bundle or name of a packaged model; None = the default.
    """
    checks = [_versions(), _packages(), _cpus(), *_decoders()]
    try:
        bundle = load_bundle(model)
    except BundleError as error:
        return [*checks, Check("model", State.FAILED, str(error), "reinstall ichscan", error.exit_code)]
    identity = bundle.identity
    checks.append(
        Check("model", State.OK, f"{identity.name} {identity.version}, weights intact ({identity.sha256[:16]})")
    )
    return [*checks, _self_test(bundle)]


def _versions() -> Check:
    found = f"ichscan {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if sys.maxsize < 2**32:
        return Check("versions", State.ADVICE, found, "32-bit Python cannot hold large scans: install a 64-bit one")
    return Check("versions", State.OK, found)


def _packages() -> Check:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        # Another build of the same package (opencv-python, onnxruntime-openvino) does as well.
        return Check("packages", State.ADVICE, f"not found: {', '.join(missing)}", "reinstall ichscan if a check fails")
    return Check("packages", State.OK, ", ".join(found))


def _cpus() -> Check:
    count = available_cpus()
    if count < FEW_CPUS:
        return Check(
            "processors", State.ADVICE, f"{count}", f"with {FEW_CPUS} or more a scan takes about half the time"
        )
    return Check("processors", State.OK, f"{count}")


def _decoders() -> list[Check]:
    found = check_decoders()
    broken = {name: reason for name, reason in found.items() if reason is not None}
    checks = [
        Check(f"decoder {name}", State.FAILED, reason, "reinstall imagecodecs, or send such series uncompressed")
        for name, reason in broken.items()
    ]
    works = [name for name in found if name not in broken]
    return [Check("decoders", State.OK, f"{len(works)} transfer syntaxes decode: {'; '.join(works)}"), *checks]


def _self_test(bundle: Bundle) -> Check:
    start = time.perf_counter()
    try:
        scan = self_test(bundle)
    except IchscanError as error:
        return Check("self-test", State.FAILED, str(error), "reinstall ichscan", error.exit_code)
    took = time.perf_counter() - start
    against = "as when the model was made" if GOLDEN in bundle.spec.about else "no reference values in the model"
    found = f"a drawn head gives any = {scan[-1]:.3f} ({against}), {took:.2f} s"
    if took > SLOW_S:
        return Check("self-test", State.ADVICE, found, "slow: is the machine busy, or are few processors allowed?")
    return Check("self-test", State.OK, found)
