import re
from pathlib import Path

from tests.service.web.box import Box

from ichscan.service.web import events, intake, limits, server, unzip, uploads
from ichscan.service.web.headers import POLICY


def test_every_route_is_documented(box: Box, project_root: Path) -> None:
    text = (project_root / "docs" / "service-api.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", text, re.MULTILINE))
    paths = box.app.openapi()["paths"].items()
    assert told == {
        f"{method.upper()} {path}" for path, item in paths for method in item if not path.startswith("/dicom-web")
    }


def test_every_metric_is_documented(analysed: Box, project_root: Path) -> None:
    text = (project_root / "docs" / "service-api.md").read_text(encoding="utf-8")
    names = set(re.findall(r"^# TYPE (ichscan_\w+)", analysed.token("metrics").get("/metrics").text, re.MULTILINE))
    written = {"ichscan_info", "ichscan_suspected_unread_seconds"}
    assert {name for name in names - written if name not in text and not name.endswith("_created")} == set()


def test_numbers_are_as_documented(project_root: Path) -> None:
    text = " ".join((project_root / "docs" / "service-security.md").read_text(encoding="utf-8").split())
    assert POLICY in text
    for told in (
        f"{server.CONNECTIONS}, of one address {server.PER_ADDRESS}",
        f"{server.HEAD_BYTES >> 10} KiB, complete within {server.HEAD_S:g} s",
        f"{limits.BODY >> 20} MiB; uploads",
        f"after {limits.PATIENCE_S:g} s at least {limits.LEAST_RATE / 1024:g} KiB/s",
        f"{limits.SEND_S:g} s",
        f"| uploads at a time | {uploads.AT_ONCE} |",
        f"| pages that follow events | {events.MOST} |",
        f"{unzip.MOST_DIRECTORY >> 20} MiB of directory",
        f"{unzip.MOST_MEMBER >> 30} GiB per file",
        f"at most {unzip.MOST_RATIO} to 1",
    ):
        assert told in text, told
    assert intake.EXPANSION == 4
