"""MODEL_CARD.md of an experiment's bundle, made from its spec and metrics: no number in it is typed by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ichscan.labels import LABELS


def write_experiment_card(path: Path, spec: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Writes the card."""
    about, cuts = spec["about"], spec["thresholds"]["slice"]
    lines = [
        f"# Model card: {spec['name']} {spec['version']}\n",
        f"{about['description']}\n",
        f"**Reproduces:** {about['paper']}.\n" if about["paper"] else "",
        f"**Intended use:** {about['intended_use']}.\n",
        f"**Training data:** {about['training_data']}. **Licence of the weights:** {about['weights_licence']}.\n",
        f"Thresholds: rule `{cuts['rule']}`, chosen on {cuts['chosen_on']}. Figures are before calibration, "
        "which changes no decision.\n",
    ]
    for part in ("validation", "test"):
        for level, figures in report.get(part, {}).items():
            lines += [f"## {part.capitalize()}, {level}\n", *_table(figures), ""]
    lines += [
        "## Files\n",
        *(f"- `{name}` sha256 `{digest}`" for name, digest in spec["weights"].items()),
        f"- ONNX against torch, largest relative difference: {max(about['onnx_parity'].values()):.1e}",
        f"- Class maps: {about['class_maps']}",
    ]
    path.write_text("\n".join(line for line in lines if line is not None) + "\n", encoding="utf-8")


def _table(figures: Mapping[str, Any]) -> list[str]:
    rows = [
        "| label | positives | AUC (95 %) | threshold | sensitivity | specificity | precision | F1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label in LABELS:
        one = figures[label]
        low, high = one["auc_95"]
        rows.append(
            f"| {label} | {one['positives']} of {one['n']} | {_shown(one['auc'])} ({_shown(low)}-{_shown(high)}) "
            f"| {_shown(one['threshold'])} | {_shown(one['sensitivity'])} | {_shown(one['specificity'])} "
            f"| {_shown(one['precision'])} | {_shown(one['f1'])} |"
        )
    return rows


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
