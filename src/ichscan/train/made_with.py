"""What a run was made with, for its manifest."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import ichscan

PACKAGES: Final = ("torch", "timm", "lightning-fabric", "numpy", "onnxruntime", "pyarrow")


def made_with() -> dict[str, str]:
    """Versions by package, the kind of machine, and the state of the sources where they are a git checkout."""
    found = {"ichscan": ichscan.__version__, "python": platform.python_version(), "machine": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    commit = _commit()
    return found | ({"git": commit} if commit else {})


def _commit() -> str:
    """The commit of a source tree, with "+" when it was changed; "" for an installed package."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return ""
    try:
        head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        state = subprocess.run(
            ["git", "-C", str(root), "status", "--porcelain", "src"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if state.stdout.strip() else "")
