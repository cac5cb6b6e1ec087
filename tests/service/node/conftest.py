from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pynetdicom", reason="the extra serve is not installed")

from tests.service.node.box import Box, Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts nodes; they are stopped when the test ends."""
    boxes: list[Box] = []

    def one(**settings: object) -> Box:
        boxes.append(Box(tmp_path / f"box{len(boxes)}", **settings))
        return boxes[-1]

    yield one
    for box in boxes:
        box.node.stop(0.2)
