"""The receiving process is killed in the middle of an image: what was answered with success is there, whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.dicom_builders import STUDY, slice_dataset, to_bytes
from tests.service.node.box import data_set_of, until
from tests.service.node.raw import ACCEPTED, Raw, pdata, request, store_command

from ichscan.service.spool import entries

PROGRAM = """
import sys, time
from pathlib import Path
from ichscan.service.node import Node
from ichscan.service.settings import DicomSettings, Settings, StorageSettings
from ichscan.service.spool import Spool
settings = Settings(Path(sys.argv[1]), dicom=DicomSettings(port=0), storage=StorageSettings(free_gb=0))
node = Node(settings, Spool(settings))
node.start()
print(node.port, flush=True)
time.sleep(60)
"""


def test_killed_in_the_middle_of_an_image(tmp_path: Path, project_root: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(project_root / "src")}
    sent = [data_set_of(to_bytes(slice_dataset(i))) for i in range(4)]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            with Raw(int(process.stdout.readline())) as raw:
                raw.send(request())
                assert raw.answer() == ACCEPTED
                for i, data in enumerate(sent[:3]):
                    raw.send(pdata(3, store_command(sop_instance=f"{STUDY}.1.{i + 1}")) + pdata(2, data))
                    assert raw.answer() == 4
                raw.send(pdata(3, store_command(sop_instance=f"{STUDY}.1.4")) + pdata(0, sent[3][:1000]))
                process.send_signal(signal.SIGKILL)
        finally:
            process.kill()
    assert until(lambda: process.poll() is not None)
    assert [data_set_of(one.path.read_bytes()) for one in entries(tmp_path)] == sent[:3]
