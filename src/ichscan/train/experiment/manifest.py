"""manifest.json of a run folder: what the run is. A folder belongs to one recipe and one collection."""

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lightning_fabric import Fabric

from ichscan.datasets.arrow import write_whole
from ichscan.datasets.fingerprint import file_digest
from ichscan.datasets.store import SliceStore
from ichscan.errors import UsageError
from ichscan.train.experiment.stages import STAGES
from ichscan.train.made_with import made_with
from ichscan.train.workbench_recipe import WorkbenchRecipe

SCHEMA: Final = "ichscan.run/1"
FILE: Final = "manifest.json"
RECIPE_FILE: Final = "recipe.json"
FIRST: Final = "slices"
"""What is in the folder once a training began. Before, a mistake (weights that do not fit) may be corrected."""
FREE: Final = ("devices", "nodes", "accelerator", "workers", "save_steps")
"""Keys of [training] that may change under a resumed run: they do not change its numbers."""
WORDS: Final = ("description", "paper")


def claim(folder: Path, recipe: WorkbenchRecipe, store: SliceStore, fabric: Fabric, notes: Mapping[str, Any]) -> None:
    """Makes the folder this run's, or checks that it is. One in which no training began belongs to nobody.

    Args:
        folder: the run folder; made when it is not there.
        recipe: as resolved.
        store: the collection.
        fabric: the devices.
        notes: further facts that must not change, e.g. what a smoke run changed.

    Raises:
        UsageError: it holds another run; the message says which keys differ, before and now.
    """
    facts = {
        "schema": SCHEMA,
        "recipe": _plain(recipe),
        "data": {"kind": str(store.manifest.get("kind", "")), "slices": len(store), "digest": store.digest},
        **json.loads(json.dumps(dict(notes))),
    }
    path = folder / FILE
    if path.exists() and (folder / FIRST).exists():
        _compare(path, json.loads(path.read_text(encoding="utf-8")), facts)
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAGES["split"]).unlink(missing_ok=True)
    facts["made_with"] = made_with() | {
        "device": str(fabric.device), "processes": fabric.world_size, "precision": recipe.training.precision,
    }  # fmt: skip
    facts["started"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_json(folder / RECIPE_FILE, dataclasses.asdict(recipe))
    write_json(path, facts)


def write_json(path: Path, facts: Any) -> None:
    """Writes JSON whole or not at all, for people to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(facts, indent=1) + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads what `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def _plain(recipe: WorkbenchRecipe) -> dict[str, Any]:
    """The recipe as JSON without what does not change numbers, and without folders of this machine."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(recipe)))
    for table in (plain["training"], plain["sequence"]["training"]):
        for key in FREE:
            table.pop(key)
    for key in WORDS:
        plain.pop(key)
    weights = Path(recipe.network.weights)
    plain["network"]["weights"] = weights.name
    if weights.is_file():  # another file may have the same name
        plain["network"]["weights_sha256"] = file_digest(weights)
    return plain


def _compare(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    known = {key: before.get(key) for key in now}
    changed = _differences(known, now, "")
    if changed:
        shown = "; ".join(f"{key}: before {a!r}, now {b!r}" for key, (a, b) in list(changed.items())[:8])
        raise UsageError(f"{path}: this folder holds another run; differs in {shown}; use a new --out")


def _differences(before: Any, now: Any, where: str) -> dict[str, tuple[Any, Any]]:
    if isinstance(before, dict) and isinstance(now, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*before, *now}):
            found |= _differences(before.get(key), now.get(key), f"{where}.{key}" if where else key)
        return found
    return {} if before == now else {where: (before, now)}
