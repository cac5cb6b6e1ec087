"""Do the default model's maps point at the lesion? Out of fold, with randomised weights beside.

    python benchmarks/localisation.py RUN STORE --cache DIR [--out docs/results]

RUN is a finished `ichscan train` of the default recipe on STORE: fold k's networks are scored on fold k's patients.
Kept per patient in the cache, so that a killed run goes on. Minutes on one core. Writes localisation.csv (one row per
map and lesion slice) and localisation.json (what follows from them).
"""

import argparse
import csv
import dataclasses
import hashlib
import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from ichscan.datasets.store import SeriesRows, SliceStore, open_store
from ichscan.evaluate.localisation import Scored
from ichscan.evaluate.localisation_summary import (
    ROW,
    SIZES,
    Row,
    difference,
    rows_of,
    summarise,
    summarise_boxes,
    summarise_outside,
)
from ichscan.evaluate.localise import CLASS, FINE, KINDS, SETTLED, boxed_series, localise, outside_activation
from ichscan.evaluate.sources.bundle import volume_of
from ichscan.labels import ANY, LABELS
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.model.predict import predict
from ichscan.model.preprocess import grey_slice, normalise, prepare
from ichscan.model.spec import load_spec
from ichscan.pages.document import dumps
from ichscan.train.bundle_writer import write_spec
from ichscan.train.checkpoint import load_average
from ichscan.train.export import export_slices
from ichscan.train.slice_network import SliceNetwork

RANDOM = "random weights: "
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for what is finished")
    parser.add_argument("--out", type=Path, default=Path("docs/results/default"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    store = open_store(arguments.store)
    folds = json.loads((arguments.run / "metrics.json").read_text())["folds"]
    bundles = Bundles(arguments.run, arguments.cache / "bundles")
    scored, outside, sanity, ms = [], [], [], []
    boxed = {s.series_uid for s in boxed_series(store)}
    for series in store.series():
        path = arguments.cache / "patients" / f"{series.patient}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            found = one(store, series, folds[series.patient], bundles, series.series_uid in boxed)
            path.write_text(json.dumps(found))
            print(series.patient, flush=True)
        found = json.loads(path.read_text())
        scored += [Scored(**{k: _tuple(v) for k, v in row.items()}) for row in found["scored"]]
        outside.append((series.patient, found["outside"]))
        sanity += found["sanity"]
        ms += found["ms"]
    write(arguments.out, store, scored, outside, sanity, ms)


def one(store: SliceStore, series: SeriesRows, fold: int, bundles: "Bundles", boxed: bool) -> dict[str, Any]:
    """Everything of one patient."""
    volume = volume_of(store, series)
    bundle = bundles.of(fold)
    found: dict[str, Any] = {}
    scored: list[Scored] = []
    sanity: list[dict[str, Any]] = []
    ms: list[dict[str, float]] = []
    if boxed:
        scored, found["outside"] = localise(store, series, bundle, fold)
        other = localise(store, series, bundles.of(fold, random=True), fold).scored
        scored += [dataclasses.replace(s, maps=RANDOM + s.maps) for s in other if s.maps != FINE]
        rows = [i for i, name in enumerate(volume.files) if name in store.boxes_by_slice]
        sanity = bundles.cascade(fold, volume, rows[:: max(1, len(rows) // 3)][:3])
        ms = [cost(bundle, volume, rows[len(rows) // 2])]
    else:
        found["outside"] = outside_activation(volume, predict(volume, bundle, class_maps=True))
    return found | {"scored": [dataclasses.asdict(s) for s in scored], "sanity": sanity, "ms": ms}


def cost(bundle: Bundle, volume: Any, index: int) -> dict[str, float]:
    """Milliseconds per slice of each kind of map beyond the probabilities."""
    spec = bundle.spec.input
    larger = dataclasses.replace(spec, size=384)
    times = {}
    for name, size, outputs in (
        ("probabilities", spec, ["evidence"]),
        ("with maps", spec, ["evidence", "class_maps", "lesion_maps"]),
        ("second reading", larger, ["lesion_maps"]),
    ):
        x = normalise(grey_slice(prepare(volume.hu, volume.positions_mm, size), index, size)[None], size)
        taken = []
        for _ in range(4):
            start = time.perf_counter()
            bundle.slice_network.run(outputs, slices=x)
            taken.append(1000 * (time.perf_counter() - start))
        times[name] = min(taken)
    return times


class Bundles:
    """The network of each fold as a bundle of its own, and the same architecture with random weights."""

    def __init__(self, run: Path, cache: Path) -> None:
        self.run, self.cache = run, cache
        self.spec = load_spec(run / "bundle")
        self._open: dict[tuple[int, bool], Bundle] = {}

    def network(self, fold: int, random: bool = False) -> SliceNetwork:
        torch.manual_seed(SEED + fold)
        network = SliceNetwork(len(self.spec.input.channels))
        if not random:
            load_average(self.run / "folds" / str(fold), network)
        return network.eval()

    def of(self, fold: int, random: bool = False) -> Bundle:
        if (fold, random) not in self._open:
            folder = self.cache / f"{fold}{'-random' if random else ''}"
            if not (folder / "spec.json").exists():
                self._write(folder, self.network(fold, random))
            self._open[fold, random] = load_bundle(folder, threads=1)
        return self._open[fold, random]

    def _write(self, folder: Path, network: SliceNetwork) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        size, channels = self.spec.input.size, len(self.spec.input.channels)
        example = np.random.default_rng(0).normal(size=(2, channels, size, size)).astype(np.float32)
        export_slices([network], size, folder / "slice.onnx", example)
        shutil.copy(self.run / "bundle" / "scan.onnx", folder)
        spec = json.loads((self.run / "bundle" / "spec.json").read_text())
        spec["weights"] = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in spec["weights"]}
        write_spec(folder, spec)

    @torch.no_grad()
    def cascade(self, fold: int, volume: Any, rows: list[int]) -> list[dict[str, Any]]:
        """Rank correlation of the maps with those of the network whose layers, from the top down, are randomised.

        Adebayo et al. 2018, section 3: a map that stays the same does not show what the network learned.
        """
        network, fresh = self.network(fold), self.network(fold, random=True)
        prepared = prepare(volume.hu, volume.positions_mm, self.spec.input)
        x = torch.from_numpy(
            normalise(np.stack([grey_slice(prepared, i, self.spec.input) for i in rows]), self.spec.input)
        )
        before = _maps(network, x)
        found = []
        for layers in LAYERS:
            for layer in layers:
                network.get_submodule(layer).load_state_dict(fresh.get_submodule(layer).state_dict())
            after = _maps(network, x)
            for kind in before:
                values = [
                    spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(before[kind], after[kind], strict=True)
                ]
                found.append({"layers": layers[-1], "maps": kind, "rank correlation": [float(v) for v in values]})
        return found


LAYERS = (
    ("head", "attend", "lesion"),
    ("smooth",),
    ("lateral", "mirror"),
    ("backbone.blocks.4",),
    ("backbone.blocks.3",),
    ("backbone.blocks.2",),
    ("backbone.blocks.1",),
    ("backbone.blocks.0",),
    ("backbone.bn1", "backbone.conv_stem"),
)
"""From the top down: each is randomised on top of those before it."""


def _maps(network: SliceNetwork, x: torch.Tensor) -> dict[str, np.ndarray[Any, Any]]:
    out = network(x)
    cam = torch.nn.functional.conv2d(out.features, network.head.weight[:, :, None, None])
    return {CLASS: cam[:, ANY].numpy(), SETTLED: out.lesion_maps[:, ANY].numpy()}


def write(
    out: Path,
    store: SliceStore,
    scored: list[Scored],
    outside: list[tuple[str, dict[str, tuple[float, float]]]],
    sanity: list[dict[str, Any]],
    ms: list[dict[str, float]],
) -> None:
    """localisation.csv and localisation.json."""
    rows = rows_of(scored)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "localisation.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(ROW)
        writer.writerows(rows)
    facts = {
        "data": {"digest": store.digest, "boxes": len(store.boxes), "slices": len(store.boxes_by_slice)},
        "summary": summarise(rows),
        "boxes": summarise_boxes(rows),
        "outside": summarise_outside(outside),
        "more hits than": _differences(rows),
        "randomised": _sanity(sanity),
        "ms per slice": {name: round(float(np.median([m[name] for m in ms])), 1) for name in ms[0]},
    }
    (out / "localisation.json").write_text(dumps(facts), encoding="utf-8")
    print(tables(facts))


def _differences(rows: list[Row]) -> list[dict[str, Any]]:
    """Hits for any hemorrhage of each kind of map against those before it, by area: value, low, high."""
    at = ROW.index("area_cm2")
    found = []
    for new, old in ((SETTLED, CLASS), (FINE, SETTLED), (FINE, CLASS)):
        for size, low, high in (("all", 0.0, math.inf), *SIZES):
            some = [row for row in rows if low <= row[at] < high]
            found.append({"maps": new, "against": old, "size": size, "hits": difference(some, new, old)})
    return found


def tables(facts: dict[str, Any]) -> str:
    """The tables of docs/explain.md."""
    lines = []
    for names, keep in ((("maps", "label"), "all"), (("maps", "size"), "")):
        titles = (*names, "slices", "patients", "hits", "within 15 px", "by chance", "energy inside", "IoU")
        lines += ["", f"| {' | '.join(titles)} |"]
        lines.append("|---|---|---|---|---|---|---|---|---|")
        for s in facts["summary"]:
            of_types = s["label"] != LABELS[ANY]
            if (s["size"] == "all") == (keep == "all") and not (of_types and s["maps"].startswith(RANDOM)):
                head = [str(s[n]) for n in (*names, "slices", "patients")]
                found = [
                    text(s["hit"]),
                    text(s["hit_15px"]),
                    f"{s['chance'][0]:.3f}",
                    text(s["energy"]),
                    text(s["iou"]),
                ]
                lines.append(f"| {' | '.join([*head, *found])} |")
    lines += ["", "| maps | label | area of the box | boxes | marked | found at IoU .1 | at IoU .3 |"]
    lines.append("|---|---|---|---|---|---|---|")
    for b in (b for b in facts["boxes"] if b["label"] == LABELS[ANY]):
        cells = [str(b[n]) for n in ("maps", "label", "size", "boxes")]
        cells += [text(b[n]) for n in ("marked", "found_0.1", "found_0.3")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def text(values: list[float]) -> str:
    """Value with its interval, two digits."""
    value, low, high = values
    return "not estimable" if math.isnan(value) else f"{value:.2f} ({low:.2f}-{high:.2f})"


def _sanity(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for layers in LAYERS:
        for kind in KINDS[:2]:
            values = [v for r in rows if (r["layers"], r["maps"]) == (layers[-1], kind) for v in r["rank correlation"]]
            found.append(
                {"down to": layers[-1], "maps": kind, "slices": len(values), "mean": float(np.nanmean(values))}
            )
    return found


def _tuple(value: Any) -> Any:
    return tuple(_tuple(v) for v in value) if isinstance(value, list) else value


if __name__ == "__main__":
    main()
