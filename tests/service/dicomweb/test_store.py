from tests.dicom_builders import STUDY, head_series


def test_a_study_is_stored_and_found(box):
    files = head_series(6)
    assert box.store(files) == 200
    found = box.get("/studies", PatientName="doe*")

    assert found.status_code == 200
