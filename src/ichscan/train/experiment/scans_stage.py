"""Stage scans: per member the selection and the scan model, fitted on its training patients, and what they predict."""

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from torch import nn

from ichscan.errors import DataError
from ichscan.train.checkpoint import load_weights, save_tensors
from ichscan.train.experiment.combine import combine
from ichscan.train.experiment.features_stage import UNTRAINED, features_folder, needed_patients
from ichscan.train.experiment.manifest import read_json, write_json
from ichscan.train.experiment.members import Member, members
from ichscan.train.experiment.prediction_table import SCAN, SLICE, predictions, write_predictions
from ichscan.train.experiment.stages import STAGES, Experiment
from ichscan.train.feature_store import open_features
from ichscan.train.scan_models import build_scan_model
from ichscan.train.scan_set import Scans, scans_of
from ichscan.train.scans import ScanPredictions, fit_scan_models, predict_scans
from ichscan.train.select import Selector, fit_selector, load_selector
from ichscan.train.slice_models import load_classifier
from ichscan.types import Float32


class Fitted(NamedTuple):
    """A member's selection (None: the scan model looks at logits alone), scan models, and scans as these see them."""

    selector: Selector | None
    models: list[nn.Module]
    scans: Scans


def scans_folder(experiment: Experiment, member: Member) -> Path:
    """Where a member's scan models and predictions are."""
    return experiment.folder / "scans" / member.name


def predict_members(experiment: Experiment) -> None:
    """Fits and predicts what is not there yet."""
    found = [m for m in members(experiment) if needed_patients(experiment, m)]
    for member in found:
        place = scans_folder(experiment, member)
        if (place / "done.json").exists():
            continue
        experiment.progress(f"scans {member.name}: {experiment.recipe.sequence.kind}")
        fitted = fit_member(experiment, member)
        if experiment.fabric.is_global_zero:
            _predict(experiment, member, fitted, place)
            _keep(fitted, place)
        experiment.fabric.barrier()
    if experiment.fabric.is_global_zero:
        write_json(experiment.folder / STAGES["scans"], [m.name for m in found])
    experiment.fabric.barrier()


def fit_member(experiment: Experiment, member: Member) -> Fitted:
    """The member's selection and scan models; a finished fit is read back."""
    recipe, place = experiment.recipe, scans_folder(experiment, member)
    scans = scans_of(experiment.store, open_features(features_folder(experiment, member)), recipe.data.columns)
    if recipe.sequence.kind in UNTRAINED:
        scans = dataclasses.replace(scans, features=scans.logits)
        models = fit_scan_models(recipe.sequence, scans, place, experiment.fabric)
        return Fitted(None, models, scans)
    training = scans.of_patients(member.train)
    if not len(training):
        raise DataError(f"{member.name}: no scan of a training patient; make the split again")
    selector = fit_selector(recipe.select, scans.features, rows=training.rows, weight=_weight(experiment, member))
    if experiment.fabric.is_global_zero:
        selector.save(place / "selector.npz")
    if recipe.select.method != "all":  # which would copy what is memory-mapped
        scans = dataclasses.replace(scans, features=selector.transform(scans.features, scans.logits))
    held_out = scans.of_patients(member.held_out)
    models = fit_scan_models(
        recipe.sequence,
        scans.of_patients(member.train),
        place,
        experiment.fabric,
        validation=held_out if len(held_out.labelled()) else None,
        identity={"select": str(dataclasses.asdict(recipe.select))},
        progress=lambda line: experiment.progress(f"scans {member.name}: {line}"),
    )
    return Fitted(selector, models, scans)


def _keep(fitted: Fitted, place: Path) -> None:
    """Writes the scan models that predicted, and last what proves it all."""
    for number, model in enumerate(fitted.models):
        save_tensors(place / f"model_{number}.safetensors", model.state_dict(), {})
    facts = {} if fitted.selector is None else fitted.selector.facts
    write_json(
        place / "done.json",
        {"models": len(fitted.models), "inputs": fitted.scans.features.shape[1], "selection": facts},
    )


def load_member(experiment: Experiment, member: Member) -> tuple[Selector | None, list[nn.Module]]:
    """The selection and the scan models of a member that has predicted, in evaluation mode, on the CPU.

    Works without features and without other processes; for a scan model that is not fitted, also without prediction.
    """
    config, labels = experiment.recipe.sequence, len(experiment.recipe.data.labels)
    if config.kind in UNTRAINED:
        return None, [build_scan_model(config, labels, labels).eval()]
    place = scans_folder(experiment, member)
    facts = read_json(place / "done.json")
    models: list[nn.Module] = []
    for number in range(facts["models"]):
        model = build_scan_model(config, facts["inputs"], labels)
        load_weights(place / f"model_{number}.safetensors", model)
        models.append(model.eval())
    return load_selector(place / "selector.npz"), models


def _weight(experiment: Experiment, member: Member) -> Float32 | None:
    """Float32 (labels, width): the last layer, where the recipe selects by it."""
    if not experiment.recipe.select.method.startswith("weights"):
        return None
    weight: Float32 = load_classifier(experiment.recipe, member.weights).last.weight.detach().numpy()
    return weight


def _predict(experiment: Experiment, member: Member, fitted: Fitted, place: Path) -> None:
    sides: dict[str, Collection[str]] = {"validation": member.held_out, "test": experiment.test_patients}
    labels, ensemble = experiment.recipe.data.labels, experiment.recipe.ensemble
    for part, patients in sides.items():
        asked = fitted.scans.of_patients(patients)
        if not len(asked):
            continue
        each: list[ScanPredictions] = [predict_scans(model, asked, member.name) for model in fitted.models]
        for key, level in ((SLICE, "slices"), (SCAN, "scans")):
            mean = combine([getattr(one, level) for one in each], ensemble.of, ensemble.clip)
            table = predictions(key, mean, member.fold if part == "validation" else -1)
            write_predictions(place / f"{part}_{level}.parquet", table, labels)
