"""A PostgreSQL server of the tests' own: on a socket in a temporary folder, reachable from nowhere else."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from ichscan.service.tables import Table

USER = "postgres"


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    there = shutil.which("postgres")
    return Path(there).parent if there else None


class Postgres:
    """One server; `kill` ends it as a power cut would, `start` brings it back."""

    def __init__(self) -> None:
        programs = _programs()
        if programs is None:
            pytest.skip("PostgreSQL is not installed")
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="ichscan-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        self.as_user: list[str] = []
        if os.geteuid() == 0:
            # The server refuses to run as root.
            try:
                account = pwd.getpwnam(USER)
            except KeyError:
                pytest.skip(f"running as root, and there is no user {USER}")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.as_user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        self._run("initdb", "-D", self.data, "-U", "ichscan", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        self.server: subprocess.Popen[bytes] | None = None
        self.made = 0
        self.clean = ""

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self.as_user, str(self.programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=self.folder)

    def start(self) -> None:
        options = ["-c", "fsync=off", "-c", "listen_addresses=", "-k", str(self.folder), "-c", "shared_buffers=8MB"]
        command = [*self.as_user, str(self.programs / "postgres"), "-D", str(self.data), *options]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        for _ in range(200):
            try:
                self._run("psql", "-h", self.folder, "-U", "ichscan", "-d", "postgres", "-c", "SELECT 1")
                return
            except subprocess.CalledProcessError:
                time.sleep(0.05)
        raise RuntimeError("PostgreSQL did not start")

    def sql(self, command: str, database: str = "postgres") -> None:
        self._run("psql", "-h", self.folder, "-U", "ichscan", "-d", database, "-c", command)

    def new_database(self) -> str:
        """URL of an empty database."""
        self.made += 1
        self.sql(f"CREATE DATABASE test{self.made} STRATEGY file_copy")
        return f"postgresql+pg8000://ichscan@/test{self.made}?unix_sock={self.folder}/.s.PGSQL.5432"

    def clean_database(self) -> str:
        """URL of a database with tables without rows, much faster than a new one; for one test at a time."""
        if not self.clean:
            self.clean = self.new_database()
            return self.clean
        tables = ", ".join(f'"{table}"' for table in Table.metadata.tables)
        self.sql(f"TRUNCATE {tables} RESTART IDENTITY", "test" + self.clean.partition("/test")[2].partition("?")[0])
        return self.clean

    def kill(self) -> None:
        """Ends every connection at once, without goodbye; the data directory is recovered at the next start."""
        assert self.server is not None
        self.server.send_signal(signal.SIGQUIT)
        self.server.wait(timeout=30)
        self.server = None

    def close(self) -> None:
        if self.server is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder.parent / f"{self.folder.name}.log").unlink(missing_ok=True)
