"""docs/service.md: a fresh machine, the commands of the five-minute guide as they stand, a running node."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from tests.network import answers, free_port, until
from tests.service.running.box import environment, ichscan, running, write_config

from ichscan.service.settings import DicomSettings, WebSettings

pytestmark = pytest.mark.slow


def _free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_from_nothing_to_the_first_study(tmp_path: Path, project_root: Path) -> None:
    if shutil.which("curl") is None or not (_free(WebSettings().port) and _free(DicomSettings().port)):
        pytest.skip("curl is not installed, or another program listens on the default ports")
    page = (project_root / "docs" / "service.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ichscan"
    # an installation of its own, where there is one: this environment holds more than users have
    told = os.environ.get("ICHSCAN_COMMAND")
    command = f'"{told}"' if told else f'"{sys.executable}" -m ichscan'
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    variables = environment()
    variables["PATH"] = f"{tmp_path / 'bin'}:{variables['PATH']}"
    if told:
        variables.pop("PYTHONPATH", None)
    with (tmp_path / "log.txt").open("wb") as log:
        service = subprocess.Popen(["ichscan", "serve"], cwd=tmp_path, env=variables, stdout=log, stderr=log)
    try:
        until(lambda: answers(f"http://127.0.0.1:{WebSettings().port}/ready"), 60, (tmp_path / "log.txt").read_text())
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"status":"analysed"' in done.stdout.replace(" ", "")
        assert done.stdout.rstrip().endswith("ready")
        assert "password: " in (tmp_path / "ichscan-data" / "first-password.txt").read_text()
        assert "password:" not in (tmp_path / "log.txt").read_text(), "the password belongs into no journal"
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=40) == 0


def test_a_second_service_and_a_taken_port_are_refused(tmp_path: Path, fake_bundle: Path) -> None:
    dicom, web = free_port(), free_port()
    config = write_config(tmp_path, "[analysis]\n", dicom=dicom, web=web, model=fake_bundle)
    with running(tmp_path, config) as box:
        done = ichscan("serve", "--config", config, folder=tmp_path)
        assert done.returncode == 1
        assert "cannot be listened on" in done.stderr
        assert "ready" in ichscan("serve", "status", "--config", config, folder=tmp_path).stdout
        begin = time.monotonic()
        assert box.stop() == 0
        assert time.monotonic() - begin < 15


def test_a_damaged_model_ends_the_service(tmp_path: Path, fake_bundle: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(fake_bundle, model)
    (model / "slice.onnx").write_bytes(b"damaged")
    config = write_config(tmp_path, "[analysis]\n", dicom=free_port(), web=free_port(), model=model)
    done = ichscan("serve", "--config", config, folder=tmp_path)
    assert done.returncode == 3
    assert "altered or damaged" in done.stderr
    assert "the service ends" in done.stderr


def test_processes_end_when_their_supervisor_was_killed(tmp_path: Path, fake_bundle: Path) -> None:
    config = write_config(tmp_path, "[analysis]\n", dicom=free_port(), web=free_port(), model=fake_bundle)
    with running(tmp_path, config) as box:
        pids = [box.pid(label) for label in ("node", "registrar", "web", "worker-0", "sender")]
        box.process.kill()
        box.process.wait()
        until(lambda: not any(_lives(pid) for pid in pids), 20, "all processes end")
    with running(tmp_path, config) as again:
        assert again.stop() == 0


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
