"""The built pages as they lie in the package."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

LIMIT_MB = 6
PERMISSIVE = {"MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "(WTFPL OR MIT)"}


@pytest.fixture
def static(project_root: Path) -> Path:
    return project_root / "src" / "ichscan" / "service" / "static"


def test_small_and_without_source_maps(static: Path) -> None:
    files = [path for path in static.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LIMIT_MB * 1e6
    assert {path.suffix for path in files} <= {".html", ".js", ".css", ".svg", ".txt"}
    assert not any("sourceMappingURL" in path.read_text(encoding="utf-8") for path in files if path.suffix == ".js")


def test_the_page_needs_nothing_that_a_strict_policy_forbids(static: Path) -> None:
    index = (static / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", index)
    for address in re.findall(r'(?:src|href)="([^"]+)"', index):
        assert (static / address.lstrip("/")).is_file()
    for path in static.rglob("*.css"):
        assert not re.search(r"url\(|@import", path.read_text(encoding="utf-8"))


def test_licences_of_all_that_is_bundled(static: Path) -> None:
    text = (static / "licences.txt").read_text(encoding="utf-8")
    found = re.findall(r"^(\S+) [\d.]+\nLicence: (.+)$", text, re.MULTILINE)
    assert {"@cornerstonejs/core", "@cornerstonejs/tools", "@kitware/vtk.js", "gl-matrix"} <= {
        name for name, _ in found
    }
    assert {licence for _, licence in found} <= PERMISSIVE


def test_versions_are_pinned(project_root: Path) -> None:
    told = json.loads((project_root / "viewer" / "package.json").read_text(encoding="utf-8"))
    versions = [*told["dependencies"].values(), *told["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    locked = json.loads((project_root / "viewer" / "package-lock.json").read_text(encoding="utf-8"))
    assert all("integrity" in one for name, one in locked["packages"].items() if name)


@pytest.mark.slow
def test_building_again_gives_the_same_bytes(project_root: Path, static: Path, tmp_path: Path) -> None:
    """What is committed is what the sources give."""
    npm = shutil.which("npm")
    if npm is None or not (project_root / "viewer" / "node_modules" / "vite").is_dir():
        pytest.skip("npm, or the packages of viewer/ (npm ci), are not installed")
    out = tmp_path / "static"
    environment = {**os.environ, "ICHSCAN_STATIC": str(out)}
    subprocess.run(
        [npm, "run", "--silent", "build"], cwd=project_root / "viewer", env=environment, check=True, capture_output=True
    )
    built = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    kept = {path.relative_to(static).as_posix(): path.read_bytes() for path in static.rglob("*") if path.is_file()}
    assert built.keys() == kept.keys()
    assert [name for name in built if built[name] != kept[name]] == []
