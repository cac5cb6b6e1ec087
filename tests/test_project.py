"""The package as a whole: light start-up, one version, complete wheel, no pickle."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import ichscan

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "ichscan"
HEAVY = ("torch", "torchvision", "timm", "pandas", "numba", "scipy", "matplotlib", "sklearn", "onnx")
PICKLES = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
LOADERS = {"torch.load", "np.load", "numpy.load", "joblib.load"}


def _loaded_by(code: str) -> set[str]:
    """Names of heavy modules in sys.modules after `code` ran in a fresh interpreter."""
    probe = f"import sys\n{code}\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.splitlines()[-1].split())


def test_import_is_light() -> None:
    assert _loaded_by("import ichscan, ichscan.types, ichscan.errors") == set()


def test_help_is_light() -> None:
    pytest.importorskip("ichscan.cli")
    code = "from ichscan import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass"
    assert _loaded_by(code) == set()


@pytest.mark.parametrize("name", ["dicom", "model", "model.predict", "report", "pipeline", "demo", "doctor"])
def test_predict_path_is_light(name: str) -> None:
    if importlib.util.find_spec(f"ichscan.{name}") is None:
        pytest.skip(f"ichscan.{name} is not part of this build")
    assert _loaded_by(f"import ichscan.{name}") == set()


def test_version_has_one_source() -> None:
    assert importlib.metadata.version("ichscan") == ichscan.__version__
    assert f"\nversion: {ichscan.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    text = (SOURCE / "__init__.py").read_text(encoding="utf-8")
    assert re.search(r'__version__ = "\d+\.\d+\.\d+"', text)
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_package_is_typed() -> None:
    assert (SOURCE / "py.typed").is_file()


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_no_pickle_no_assert(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in PICKLES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLES:
            found += [alias.name for alias in node.names if alias.name != "UnpicklingError"]
        elif isinstance(node, ast.Assert):
            found.append(f"assert at line {node.lineno}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in LOADERS and not _safe(node):
            found.append(f"{ast.unparse(node.func)} at line {node.lineno} without weights_only or allow_pickle=False")
    assert not found


def _safe(call: ast.Call) -> bool:
    flags = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    return flags.get("weights_only") == "True" or flags.get("allow_pickle") == "False"


def test_lock_covers_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"]]
    for group in (*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()):
        wanted += [entry for entry in group if isinstance(entry, str)]
    pinned = {line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()}
    names = {re.split(r"[\s<>=!~\[;]", entry)[0].lower().replace("_", "-") for entry in wanted}
    assert names - {"ichscan"} <= pinned  # an extra may take in another one


@pytest.mark.slow
def test_wheel_is_complete(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "ichscan/py.typed" in names
    expected = {
        f"ichscan/{file.relative_to(SOURCE).as_posix()}"
        for file in SOURCE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith(".")
    }
    assert expected <= names
    assert {"ichscan/models/default/spec.json", "ichscan/models/default/MODEL_CARD.md"} <= names
    assert "ichscan/demo_data/LICENSE" in names
    assert any(name.startswith("ichscan/demo_data/") and name.endswith(".dcm") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    recipes = {file.name for file in (ROOT / "recipes").glob("*.toml")}
    assert recipes <= {Path(name).name for name in names if "/share/ichscan/recipes/" in name}
    assert wheel.stat().st_size < 40 * 2**20
