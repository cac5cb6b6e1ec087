"""A web application on a folder of its own, with users and studies, and without any other process."""

import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from tests import dicom_builders as build

from ichscan.service.database import open_database
from ichscan.service.jobs.due import queue_due
from ichscan.service.register import Registrar
from ichscan.service.security.sessions import open_login
from ichscan.service.security.tokens import make_token
from ichscan.service.settings import Settings, StorageSettings, WebSettings
from ichscan.service.spool import Spool
from ichscan.service.tables import User
from ichscan.service.web.access import COOKIE
from ichscan.service.web.app import make_app

NAME, ACCESSION = "Doe^Jane", "ACC-99"
SLICES = 6


class Box:
    """Closes what it opened at `close`."""

    def __init__(self, folder: Path, database: str = "", **web: Any) -> None:
        self.settings = Settings(
            folder=folder, database=database, web=WebSettings(**web), storage=StorageSettings(free_gb=0.0)
        )
        self.database = open_database(self.settings)
        self.spool = Spool(self.settings)
        self.app = make_app(self.settings, self.database, self.spool)
        self._clients: list[TestClient] = []

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.database.close()

    def client(self, **options: Any) -> TestClient:
        """A browser that nobody is logged in with."""
        client = TestClient(self.app, base_url="http://localhost", raise_server_exceptions=False, **options)
        self._clients.append(client)
        return client

    def add_user(self, name: str, role: str = "reader", **fields: Any) -> None:
        """Without a password that could be used: hashing takes time."""
        with self.database.write() as session:
            session.add(User(name=name, role=role, password_hash="none", created=time.time(), **fields))

    def logged_in(self, role: str = "reader", name: str = "") -> TestClient:
        """A browser of a user of this role; its writes are our own page's."""
        name = name or f"the-{role}"
        with self.database.write() as session:
            user = session.query(User).filter(User.name == name).one_or_none()
            if user is None:
                user = User(name=name, role=role, password_hash="none", created=time.time())
                session.add(user)
                session.flush()
            text, login = open_login(session, user, self.settings.web, time.time())
            csrf = login.csrf
        client = self.client()
        client.cookies.set(COOKIE, text)
        client.headers["X-CSRF-Token"] = csrf
        return client

    def token(self, *scopes: str, name: str = "machine") -> TestClient:
        """A program with a token."""
        with self.database.write() as session:
            text = make_token(session, name, scopes, time.time())
        client = self.client()
        client.headers["Authorization"] = f"Bearer {text}"
        return client

    def rows(self, table: Any) -> list[Any]:
        """All rows of a table, in their order."""
        with self.database.read() as session:
            return list(session.query(table).order_by(table.id))

    def register(self) -> None:
        """What the intake process does."""
        Registrar(self.settings, self.database).run_once()
        queue_due(self.database, self.settings, time.time() + 3600.0)

    def analyse(self, bundle: Path) -> None:
        """What the worker process does."""
        from ichscan.model.bundle import load_bundle
        from ichscan.service.jobs.worker import Worker

        settings = replace(self.settings, send=replace(self.settings.send, exports=("sr",)))
        worker = Worker(settings, self.database, load_bundle(bundle), "worker-test")
        while worker.run_once():
            pass

    def receive(self, patient: str = NAME, study: str = build.STUDY) -> None:
        """A study of six slices comes in and is registered."""
        for data in study_files(patient, study):
            self.spool.accept([data], "dimse:SCANNER")
        self.spool.finished([study], "dimse:SCANNER")
        self.register()


def study_files(patient: str = NAME, study: str = build.STUDY, count: int = SLICES) -> list[bytes]:
    """DICOM files of one study."""
    tags = {"PatientName": patient, "PatientID": "SECRET-4711", "PatientBirthDate": "19500102", "StudyDate": "20260102"}
    return [
        build.to_bytes(
            build.slice_dataset(
                i,
                **tags,
                StudyInstanceUID=study,
                SeriesInstanceUID=f"{study}.1",
                SOPInstanceUID=f"{study}.1.{i + 1}",
                AccessionNumber=ACCESSION,
                StudyDescription="Head for Dr. Smith",
                StationName="CT1",
            )
        )
        for i in range(count)
    ]


def zipped(files: dict[str, bytes], **options: Any) -> bytes:
    """A zip archive."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
