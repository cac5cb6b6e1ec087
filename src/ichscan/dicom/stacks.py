"""Groups slices into stacks: one patient, study, series, plane, frame of reference and matrix size each."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ichscan.dicom.header import Cosines, Instance
from ichscan.dicom.refusal import refusal

SAME_PLANE = 0.01
"""Largest difference of direction cosines within one plane: 0.6 degrees."""


@dataclass(slots=True)
class Stack:
    """Slices that belong together, with the reason against them and the warnings so far."""

    instances: list[Instance]
    reason: str | None
    warnings: list[str] = field(default_factory=list)

    @property
    def first(self) -> Instance:
        """A representative slice (the lowest in the order of `_name_free_key`)."""
        return self.instances[0]


def name_free_key(instance: Instance) -> tuple[object, ...]:
    """Sort key of a slice from its header only, so that file names and order never matter."""
    pixels = instance.pixels
    return (
        instance.sop_uid, instance.frame, instance.instance_number or 0, instance.position or (), instance.acquired,
        pixels.transfer_syntax, pixels.lossy, pixels.rows, pixels.columns, pixels.offset or 0, instance.source.size,
    )  # fmt: skip


def build_stacks(instances: Iterable[Instance]) -> list[Stack]:
    """Splits instances into stacks, sorted by patient, study, series and size."""
    groups: dict[tuple[str, ...], list[Instance]] = defaultdict(list)
    for instance in instances:
        groups[_series_key(instance)].append(instance)
    stacks: list[Stack] = []
    for key in sorted(groups):
        stacks += _split(sorted(groups[key], key=name_free_key))
    _note_mixed_patients(stacks)
    return stacks


def _series_key(instance: Instance) -> tuple[str, ...]:
    folder = "" if instance.study_uid and instance.series_uid else instance.source.folder
    return (instance.patient_key, instance.study_uid, instance.series_uid, folder)


def _split(instances: list[Instance]) -> list[Stack]:
    """One stack per reason of refusal; what is left by plane, frame of reference and matrix size."""
    refused: dict[str, list[Instance]] = defaultdict(list)
    kept: dict[tuple[object, ...], list[Instance]] = defaultdict(list)
    planes: list[Cosines] = []
    for instance in instances:
        reason = refusal(instance)
        if reason is not None:
            refused[reason].append(instance)
            continue
        shape = (instance.pixels.rows, instance.pixels.columns)
        kept[(_plane(instance.orientation, planes), instance.frame_of_reference, shape)].append(instance)
    stacks = [Stack(members, None) for members in kept.values()]
    stacks.sort(key=lambda stack: (-len(stack.instances), name_free_key(stack.first)))
    if len(stacks) > 1:
        for stack in stacks:
            stack.warnings.append(
                f"The series mixes planes, frames of reference or matrix sizes: split into {len(stacks)} stacks, "
                f"this one has {len(stack.instances)} of {sum(len(s.instances) for s in stacks)} slices."
            )
    if not (instances[0].study_uid and instances[0].series_uid):
        for stack in stacks:
            stack.warnings.append(
                "Study or Series Instance UID (0020,000D and 0020,000E) is absent: slices were grouped by folder."
            )
    return stacks + [Stack(members, reason) for reason, members in sorted(refused.items())]


def _plane(orientation: Cosines | None, planes: list[Cosines]) -> int:
    """Index of the plane among those seen, -1 without orientation; `planes` grows by the new ones."""
    if orientation is None:
        return -1
    for index, plane in enumerate(planes):
        if max(abs(a - b) for a, b in zip(plane, orientation, strict=True)) < SAME_PLANE:
            return index
    planes.append(orientation)
    return len(planes) - 1


def _note_mixed_patients(stacks: list[Stack]) -> None:
    patients: dict[tuple[str, str], set[str]] = defaultdict(set)
    for stack in stacks:
        first = stack.first
        if first.study_uid:
            patients[(first.study_uid, first.series_uid)].add(first.patient_key)
    for stack in stacks:
        if len(patients[(stack.first.study_uid, stack.first.series_uid)]) > 1:
            stack.warnings.append(
                "Files of one series carry different Patient IDs (0010,0020): each patient is kept apart; "
                "check how the files were collected."
            )
