"""Operating points of a whole evaluation: chosen here, taken from elsewhere, or put into a copy of a bundle."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ichscan.datasets.arrow import write_whole
from ichscan.errors import DataError, OutputError, UsageError
from ichscan.evaluate.calibration import calibrated, logit
from ichscan.evaluate.cases import LEVELS, Cases, Evaluation
from ichscan.evaluate.thresholds import PARAMETERS, RULES, OperatingPoint, choose, is_test
from ichscan.labels import LABELS
from ichscan.model.spec import SPEC_FILE, Spec, load_spec
from ichscan.types import Float64

SHORT: Final[Mapping[str, str]] = {"f1": "mean_f1_curve"}
CARD: Final = "MODEL_CARD.md"
OWN_LEVELS: Final[Mapping[str, str]] = {"slices": "slice", "scans": "scan"}
Points = Mapping[str, Mapping[str, OperatingPoint]]
"""Level -> label -> point; a label without both classes has none."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How thresholds are chosen: a rule of `ichscan.evaluate.thresholds.RULES` and its number."""

    name: str
    parameter: float | None = None

    def __str__(self) -> str:
        return self.name if self.parameter is None else f"{self.name}={self.parameter:g}"


def parse_rule(text: str) -> Rule:
    """A rule as it is typed: f1, youden, sensitivity=0.95, specificity=0.9 or cost=5:1 (a miss : a false alarm).

    Raises:
        UsageError: another rule, or a number that is none or out of range.
    """
    name, _, value = text.partition("=")
    name = SHORT.get(name, name)
    if name not in RULES:
        known = ", ".join([*SHORT, *(rule for rule in RULES if rule not in SHORT.values())])
        raise UsageError(f"--choose {text}: expected a rule of {known}")
    if (name in PARAMETERS) != bool(value):
        told = "needs a number, as in sensitivity=0.95 or cost=5:1" if name in PARAMETERS else "takes no number"
        raise UsageError(f"--choose {text}: {name} {told}")
    if not value:
        return Rule(name)
    top, _, bottom = value.partition(":")
    try:
        number = float(top) / float(bottom or 1)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--choose {text}: expected a number after the =, found {value!r}") from None
    if not 0 < number <= PARAMETERS[name]:
        raise UsageError(f"--choose {text}: expected a number above 0 and at most {PARAMETERS[name]:g}")
    return Rule(name, number)


def choose_all(evaluation: Evaluation, rule: Rule, part: str) -> tuple[Evaluation, Points]:
    """Chooses thresholds of every label and level on this very evaluation.

    A label without both classes gets none.

    Raises:
        UsageError: `part` is the test part.
    """
    if is_test(part):
        which = f"the test part is among these rows ({part})" if ", " in part else "this is the test part"
        raise UsageError(
            f"--choose {rule}: {which}; a threshold chosen on it flatters what is measured on it. "
            "Choose on validation predictions (--part validation) and apply them here with --thresholds"
        )
    data = evaluation.data
    where = f"{data.get('kind')} {str(data.get('digest', ''))[:16]}, part {part or 'all'}"
    points: dict[str, dict[str, OperatingPoint]] = {}
    for level in LEVELS:
        points[level] = {}
        for c, label in enumerate(LABELS):
            binary = evaluation.level(level).label(c)
            if binary.estimable:
                points[level][label] = choose(
                    binary, rule.name, rule.parameter, part=part or "all", chosen_on=f"{level} of {where}"
                )
    cuts = {level: _cuts({label: p.threshold for label, p in points[level].items()}) for level in LEVELS}
    said = f"rule {rule}, chosen on these very predictions: on new patients expect less at them"
    return with_thresholds(evaluation, cuts, said), points


def read_points(path: Path, calibrated_here: bool = True) -> tuple[dict[str, Float64], str]:
    """Thresholds of another evaluation (evaluation.json), or of a bundle (its spec.json): level -> float64 (6,).

    Args:
        path: of the file.
        calibrated_here: whether the probabilities they are for are calibrated as a bundle's are.

    Raises:
        DataError: neither of the two, or damaged, or of probabilities that are calibrated otherwise.
        BundleError: a spec that is not valid.
    """
    if path.name == SPEC_FILE:
        _same_scale(path, True, calibrated_here)
        spec = load_spec(path.parent)
        cuts = {level: np.array(spec.thresholds[key].value, np.float64) for level, key in OWN_LEVELS.items()}
        said = f"bundle {spec.name} {spec.version}: {spec.thresholds['scan'].rule}, chosen on {origin(spec)}"
        return {**cuts, "patients": cuts["scans"]}, said
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        cuts = {level: _cuts(found["thresholds"][level]) for level in LEVELS}
        source, data = found["source"], found["data"]
        rule, said = (str(found["thresholds"][key]) for key in ("rule", "chosen_on"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: expected evaluation.json of `ichscan evaluate`, or spec.json of a bundle ({error!r})"
        ) from error
    _same_scale(path, bool(source.get("calibrated", True)), calibrated_here)
    name, part = source.get("name", source.get("path", "")), data.get("part") or "all"
    if not rule:  # chosen elsewhere: `said` tells where
        return cuts, f"{said} (evaluation of {name})"
    return cuts, f"{rule} (evaluation of {name} on {data.get('kind')} {str(data.get('digest'))[:16]}, part {part})"


def origin(spec: Spec) -> str:
    """The data on which a bundle's thresholds were chosen."""
    return " and ".join(dict.fromkeys(spec.thresholds[key].chosen_on for key in OWN_LEVELS.values()))


def chosen_here(chosen_on: str, data: Mapping[str, Any]) -> bool:
    """Whether thresholds that are taken from elsewhere were chosen on these very rows.

    Args:
        chosen_on: where they come from; `choose_all` and `read_points` put digest and part of the data into it.
        data: of the evaluation.
    """
    digest, here = str(data.get("digest", ""))[:16], str(data.get("part", "")) or "all"
    there = re.search(rf"{re.escape(digest)}, part (.+?)(?: and |[);]|$)", chosen_on) if digest else None
    return there is not None and (there[1] == here or "all" in (there[1], here))


def _same_scale(path: Path, there: bool, here: bool) -> None:
    if there != here:
        kinds = {True: "calibrated probabilities, as a bundle's", False: "probabilities of a run before calibration"}
        raise DataError(
            f"{path}: its thresholds are for {kinds[there]}, the predictions here are {kinds[here]}; take those "
            "of the same source, or choose with --choose"
        )


def with_thresholds(evaluation: Evaluation, cuts: Mapping[str, Float64], chosen_on: str) -> Evaluation:
    """The same evaluation with other thresholds; `cuts`: level -> float64 (6,)."""

    def cut(cases: Cases) -> Cases:
        return replace(cases, thresholds=cuts[cases.level])

    return replace(
        evaluation, slices=cut(evaluation.slices), scans=cut(evaluation.scans), patients=cut(evaluation.patients),
        chosen_on=chosen_on,
    )  # fmt: skip


def write_bundle(
    bundle: Path, folder: Path, points: Points, levels: tuple[str, ...], rule: Rule, calibrated_here: bool = True
) -> None:
    """Copies a bundle and puts the points into its spec, with where they come from; the weights stay as they are.

    Args:
        bundle: folder of the bundle that made the predictions.
        folder: to write; must not exist.
        points: of `choose_all`.
        levels: of which the bundle itself makes the predictions: "slices", "scans" or both.
        rule: for the record.
        calibrated_here: false when the points are for probabilities before the bundle's calibration: they are moved by
            it, so that the bundle decides alike.

    Raises:
        UsageError: `folder` exists.
        OutputError: it cannot be written.
        BundleError: the bundle's spec is not valid.
    """
    if folder.exists():
        raise UsageError(f"--write-bundle {folder}: it exists; give the name of a new folder")
    load_spec(bundle)
    spec = json.loads((bundle / SPEC_FILE).read_text(encoding="utf-8"))
    lines = []
    for level in levels:
        found = {label: point.threshold for label, point in points[level].items()}
        where = next((point.chosen_on for point in points[level].values()), "")
        if not calibrated_here:
            found = _moved(found, spec["calibration"][OWN_LEVELS[level]])
        lines.append(f"{level}: {_put(spec['thresholds'][OWN_LEVELS[level]], found, rule, where)}")
    spec.setdefault("about", {})["operating_points"] = {
        level: {label: point.facts() for label, point in points[level].items()} for level in levels
    }
    try:
        shutil.copytree(bundle, folder)
        write_whole(folder / SPEC_FILE, (json.dumps(spec, indent=1) + "\n").encode())
        card = folder / CARD
        if card.is_file():
            note = "> **Other thresholds than those below** were put into this copy: " + "; ".join(lines) + ".\n\n"
            write_whole(card, (note + card.read_text(encoding="utf-8")).encode())
    except OSError as error:
        raise OutputError(
            f"{folder}: the bundle cannot be written ({error.strerror}); choose another folder"
        ) from error
    load_spec(folder)


def _moved(cuts: Mapping[str, float], calibration: Mapping[str, Any]) -> dict[str, float]:
    """Thresholds after the Platt scaling of a spec's level."""
    platt = dict(zip(LABELS, zip(calibration["scale"], calibration["offset"], strict=True), strict=True))
    return {label: float(calibrated(logit(np.array([cut])), *platt[label])[0]) for label, cut in cuts.items()}


def _put(own: dict[str, Any], found: Mapping[str, float], rule: Rule, where: str) -> str:
    """Changes one level of a spec's thresholds; returns what to say of it. A label without a point keeps its own."""
    kept = [label for label in LABELS if label not in found]
    before = dict(zip(LABELS, own["value"], strict=True))
    own["value"] = [found.get(label, before[label]) for label in LABELS]
    own["chosen_on"] = where or own["chosen_on"]
    own["rule"] = f"{rule}" + (f"; {', '.join(kept)}: as before ({own['rule']})" if kept else "")
    return f"{own['rule']}, chosen on {own['chosen_on']}"


def _cuts(values: Mapping[str, Any]) -> Float64:
    """float64 (6,), NaN where a label has none."""
    found = [values.get(label) for label in LABELS]
    return np.array([np.nan if v is None else float(v) for v in found], np.float64)
