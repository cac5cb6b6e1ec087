"""Patient and study as in the source, whatever its character set, and nothing hostile."""

import io
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
import pydicom
from pydicom.dataset import Dataset
from tests.dicom_builders import head_series
from tests.report.dicom.results import case_of, write_files

from ichscan.report.dicom import structured_report
from ichscan.report.dicom.attributes import clean, fitting, patient_and_study
from ichscan.report.dicom.identity import derived_uid, valid_uid
from ichscan.report.dicom.write import to_bytes

JAPANESE = ["", "ISO 2022 IR 87"]


def _header(**tags: Any) -> Dataset:
    header = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in tags.items():
            setattr(header, keyword, value)
    return header


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 192", "Łukasz^Żółć=山田^太郎"),
        (JAPANESE, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 144", "Люкceмбypг"),
    ],
)
def test_names_survive_in_their_character_set(tmp_path: Path, character_set: str | list[str], name: str) -> None:
    files = head_series(SpecificCharacterSet=character_set, PatientName=name, StudyDescription="CT")
    case = case_of(write_files(tmp_path, files))
    written = to_bytes(structured_report(case.findings, case.source))
    stored, source = pydicom.dcmread(io.BytesIO(written)), pydicom.dcmread(io.BytesIO(files[0]))
    assert str(stored.PatientName) == name
    assert stored.SpecificCharacterSet == source.SpecificCharacterSet
    assert stored.PatientName.original_string == source.PatientName.original_string


def test_undeclared_bytes_beyond_ascii_are_latin_1(tmp_path: Path) -> None:
    files = [one.replace(b"Doe^Jane", b"M\xfcller^A") for one in head_series()]
    case = case_of(write_files(tmp_path, files))
    written = pydicom.dcmread(io.BytesIO(to_bytes(structured_report(case.findings, case.source))))
    assert (written.SpecificCharacterSet, str(written.PatientName)) == ("ISO_IR 100", "Müller^A")


def test_an_unknown_character_set_becomes_utf8() -> None:
    assert patient_and_study(_header(SpecificCharacterSet="KLINGON", PatientName="A")).SpecificCharacterSet == (
        "ISO_IR 192"
    )


def test_absent_attributes_are_empty() -> None:
    found = patient_and_study(Dataset())
    assert {str(element.value or "") for element in found} == {""}
    assert "PatientBirthDate" in found
    assert "PatientAge" not in found


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PatientBirthDate", "19700231x", ""),
        ("PatientBirthDate", "19701231", "19701231"),
        ("StudyTime", "256161", ""),
        ("StudyTime", "101112.5", "101112.5"),
        ("PatientSex", "X", ""),
        ("PatientSex", "F", "F"),
        ("PatientAge", "040Y", "040Y"),
        ("PatientAge", "forty", ""),
        ("PatientID", "<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("PatientID", "a\x00\x1bb\nc", "a b c"),
        ("PatientID", "9" * 10_000, "9" * 64),
        ("AccessionNumber", "9" * 10_000, "9" * 16),
        ("PatientName", "A^B^C^D^E^F^G", "A^B^C^D^E F G"),
        ("PatientName", "A" * 100 + "=B=C=D", "A" * 64 + "=B=C"),
        ("TimezoneOffsetFromUTC", "+0900", "+0900"),
        ("TimezoneOffsetFromUTC", "UTC", ""),
    ],
)
def test_values_are_valid_or_empty(keyword: str, value: str, expected: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert clean(_header(**{keyword: value}), keyword) == expected


def test_identity_removed_only_with_its_method() -> None:
    assert "PatientIdentityRemoved" not in patient_and_study(_header(PatientIdentityRemoved="YES"))
    found = patient_and_study(_header(PatientIdentityRemoved="YES", DeidentificationMethod="by hand"))
    assert (found.PatientIdentityRemoved, found.DeidentificationMethod) == ("YES", "by hand")


def test_our_words_fit_the_character_set() -> None:
    assert fitting("3°, 山", "ISO_IR 192") == "3°, 山"
    assert fitting("3°, 山", "ISO_IR 100") == "3°, ?"
    assert fitting("3°, 山", None) == "3?, ?"
    assert fitting("a\\b\x00c", None) == "a/b c"
    assert fitting("abcdef", None, 3) == "abc"


def test_uids_are_kept_or_made_the_same_way_each_time() -> None:
    assert valid_uid("1.2.840.1") == "1.2.840.1"
    for odd in ("ID_1f6d1e8aeb", "1.02", "1." + "2" * 70, "1..2", "1"):
        made = valid_uid(odd)
        assert made == valid_uid(odd) != odd
        assert made.startswith("2.25.")
        assert len(made) <= 64
    assert valid_uid("", "a") != valid_uid("", "b")
    assert derived_uid("a", "bc") != derived_uid("ab", "c")
    assert derived_uid("a", 1).is_valid
