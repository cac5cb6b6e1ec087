"""Settings, accounts, backup, logs and the command line of the service."""

import importlib.util
import json
import logging
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra `serve` is not installed")
pytest.importorskip("argon2", reason="the extra `serve` is not installed")

from tests.network import free_port
from tests.service.core.world import World
from tests.service.running.scans import study

from ichscan.cli import main
from ichscan.errors import DataError, InputError, UsageError
from ichscan.service.accounts import disable_user, new_password, new_token, revoke
from ichscan.service.backup import backup, restore
from ichscan.service.check import examine
from ichscan.service.database import open_database
from ichscan.service.first import FILE, first_password
from ichscan.service.keys import keys, template
from ichscan.service.logs import JsonLines, TextLines
from ichscan.service.security.users import check_login
from ichscan.service.settings import DicomSettings, Hook, Peer, SendSettings, Settings, WebPeer, read_settings
from ichscan.service.tables import Audit, Instance, Study, User
from ichscan.service.validate import validate

# pynetdicom leaves the socket of a call that nobody took to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("leftovers"),
]


def test_page_of_the_settings_is_up_to_date(project_root: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_service_keys", project_root / "docs" / "make_service_keys.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (project_root / "docs" / "service-settings.md").read_text(encoding="utf-8")
    assert page == module.page(), "run: python docs/make_service_keys.py"
    assert all(key.meaning for key in keys())


def test_template_is_the_defaults_and_its_examples_are_valid(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(template(), encoding="utf-8")
    assert read_settings(tmp_path / "a.toml") == Settings()
    (tmp_path / "b.toml").write_text(re.sub(r"^#(?=[\[a-z])", "", template(), flags=re.MULTILINE), encoding="utf-8")
    told = read_settings(tmp_path / "b.toml")
    validate(told)
    assert [peer.name for peer in told.dicom.peers] == ["pacs"]
    emptied = replace(
        told, dicom=replace(told.dicom, peers=()), send=replace(told.send, web_peers=(), hooks=())
    )  # the examples aside, everything is as by default
    assert emptied == Settings()


def _with(**changes: Any) -> Settings:
    settings = Settings()
    for table, values in changes.items():
        settings = replace(settings, **{table: replace(getattr(settings, table), **values)})
    return settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dicom": {"ae_title": ""}}, "dicom.ae_title"),
        ({"dicom": {"ae_title": "SEVENTEENLETTERS1"}}, "1 to 16"),
        ({"dicom": {"ae_title": "A\\B"}}, "backslash"),
        ({"dicom": {"port": 65536}}, "dicom.port"),
        ({"dicom": {"peers": (Peer("a", "A"), Peer("a", "B"))}}, "name of its own"),
        ({"dicom": {"tls_certificate": "x"}}, "both"),
        ({"dicom": {"tls_certificate": "/nowhere", "tls_key": "/nowhere"}}, "found none at /nowhere"),
        ({"web": {"upload_mb": 0}}, "web.upload_mb"),
        ({"analysis": {"workers": 0}}, "analysis.workers"),
        ({"analysis": {"quiet_s": float("nan")}}, "analysis.quiet_s"),
        ({"analysis": {"model": "/nowhere"}}, "analysis.model"),
        ({"send": {"to": ("nobody",)}}, "send.to"),
        ({"send": {"exports": ("pdf",)}}, "send.exports"),
        ({"send": {"hooks": (Hook("h", "file:///etc/passwd"),)}}, "https://"),
        ({"send": {"web_peers": (WebPeer("w", "http://x", token_file="/nowhere"),)}}, "token_file"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        validate(_with(**changes))


def test_a_peer_without_port_cannot_be_sent_to() -> None:
    validate(Settings(dicom=DicomSettings(peers=(Peer("a", "A", port=104),)), send=SendSettings(to=("a",))))
    with pytest.raises(UsageError, match="with a port"):
        validate(Settings(dicom=DicomSettings(peers=(Peer("a", "A"),)), send=SendSettings(to=("a",))))


def test_first_password_is_kept_until_it_was_changed(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path)
    database = open_database(settings)
    password = first_password(settings, database)
    assert password is not None
    assert password in (tmp_path / FILE).read_text()
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert check_login(database, "administrator", password, 1.0) is not None
    assert first_password(settings, database) is None
    assert (tmp_path / FILE).exists()
    with database.write() as session:
        session.query(User).update({"must_change": False})
    assert first_password(settings, database) is None
    assert not (tmp_path / FILE).exists()
    database.close()


def test_accounts(tmp_path: Path) -> None:
    database = open_database(Settings(folder=tmp_path))
    new_password(database, "boss", "administrator", 1.0)
    first = new_password(database, "reader", None, 1.0)
    second = new_password(database, "reader", None, 2.0)
    assert check_login(database, "reader", first, 3.0) is None
    assert check_login(database, "reader", second, 3.0) is not None
    disable_user(database, "reader")
    assert check_login(database, "reader", second, 4.0) is None
    with pytest.raises(UsageError, match="last administrator"):
        disable_user(database, "boss")
    with pytest.raises(UsageError, match="found none"):
        disable_user(database, "nobody")
    assert new_token(database, "pacs", ["store"], 1.0).startswith("ichscan_")
    revoke(database, "pacs")
    with pytest.raises(UsageError, match="found none"):
        revoke(database, "nobody")
    with database.read() as session:
        actions = [row.action for row in session.query(Audit)]
    assert actions == ["make user", "make user", "set password", "disable user", "make token", "revoke token"]
    database.close()


def test_backup_while_it_runs_and_restore(tmp_path: Path) -> None:
    with World(tmp_path / "data") as world:
        world.receive(study(1))
        world.send(study(2))
        (world.settings.folder / "results" / "1" / "1").mkdir(parents=True)
        (world.settings.folder / "results" / "1" / "1" / "x.json").write_text("{}")
        (world.settings.folder / "results" / "tmp-worker-0").mkdir()
        (world.settings.folder / "results" / "tmp-worker-0" / "half.json").write_text("{")
        backup(world.settings, tmp_path / "b.tar")
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    settings = replace(world.settings, folder=tmp_path / "new")
    restore(settings, tmp_path / "b.tar")
    with World(tmp_path / "new") as again:
        assert [one.study_instance_uid for one in again.rows(Study)]
        again.registrar.run_once()
        assert (len(again.rows(Study)), len(again.rows(Instance))) == (2, 12)
        again.check()
    assert (tmp_path / "new" / "results" / "1" / "1" / "x.json").exists()
    assert not list((tmp_path / "new" / "results").glob("tmp-*"))
    with pytest.raises(UsageError, match="empty folder"):
        restore(settings, tmp_path / "b.tar")
    with pytest.raises(UsageError, match="new file"):
        backup(settings, tmp_path / "b.tar")


def test_damaged_and_hostile_backups_are_refused(tmp_path: Path) -> None:
    with World(tmp_path / "data") as world:
        world.receive(study(1))
        backup(world.settings, tmp_path / "b.tar", images=False)
    data = bytearray((tmp_path / "b.tar").read_bytes())
    settings = Settings(folder=tmp_path / "new")
    at = data.index(b"SQLite format 3") + 5000
    data[at] ^= 1
    (tmp_path / "flipped.tar").write_bytes(data)
    (tmp_path / "short.tar").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.tar").write_text("no archive")
    with tarfile.open(tmp_path / "out.tar", "w") as archive:
        archive.add(tmp_path / "text.tar", "../../outside")
    for name in ("flipped", "short", "text", "out"):
        with pytest.raises(DataError):
            restore(settings, tmp_path / f"{name}.tar")
        assert not any(settings.folder.iterdir())
    assert not (tmp_path.parent / "outside").exists()
    with pytest.raises(UsageError, match="no file"):
        restore(settings, tmp_path / "none.tar")


def _record(message: str, *words: Any, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord("ichscan.x", logging.ERROR, "x.py", 1, message, words, info)


def test_log_lines_hold_no_foreign_texts() -> None:
    try:
        raise ValueError("invalid value 'Doe^Jane'")
    except ValueError as caught:
        error = caught
    for form in (TextLines("worker-0"), JsonLines("worker-0")):
        line = form.format(_record("study %d: failed", 7, error=error))
        assert "Doe" not in line
        assert "study 7: failed: ValueError" in line
        assert "test_operation.py" in line
        assert "cannot be read" in form.format(_record("x", error=InputError("a.dcm: cannot be read")))
        assert "\n" not in form.format(_record("forged\n2026 line \x1b[31m"))
    told = json.loads(JsonLines("worker-0").format(_record("hello")))
    assert (told["process"], told["level"], told["message"]) == ("worker-0", "ERROR", "hello")
    record = _record("")
    record.msg = error  # type: ignore[assignment]  # as libraries do it
    assert "Doe" not in TextLines("x").format(record)


def test_warnings_and_uncaught_errors_are_told_without_their_text() -> None:
    code = (
        "import warnings, threading\nfrom ichscan.service.logs import start_logging\nstart_logging('text', 'web')\n"
        "warnings.warn('Doe^Jane')\nt = threading.Thread(target=lambda: 1 / int('Doe^Jane'))\nt.start()\nt.join()\n"
        "raise RuntimeError('Doe^Jane')"
    )
    from tests.service.running.box import environment

    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Doe" not in done.stderr
    assert "RuntimeError" in done.stderr
    assert "ValueError" in done.stderr


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "init"]) == 0
    assert main(["serve", "init"]) == 2
    text = Path("ichscan.toml").read_text().replace("#port = 8042", f"port = {free_port()}")
    Path("ichscan.toml").write_text(text.replace("#port = 11112", f"port = {free_port()}"))
    capsys.readouterr()
    assert main(["serve", "user", "jane", "--config", "ichscan.toml"]) == 0
    assert re.fullmatch(r"([a-z0-9]{5}-){3}[a-z0-9]{5}\n", capsys.readouterr().out)
    assert main(["serve", "token", "pacs", "--scope", "store", "--config", "ichscan.toml"]) == 0
    assert capsys.readouterr().out.startswith("ichscan_")
    assert main(["serve", "token", "other", "--config", "ichscan.toml"]) == 2
    assert main(["serve", "token", "pacs", "--revoke", "--config", "ichscan.toml"]) == 0
    assert main(["serve", "--config", "ichscan.toml", "check"]) == 0
    assert "FAILED" not in capsys.readouterr().out
    assert main(["serve", "status", "--config", "ichscan.toml"]) == 1
    assert "is it running?" in capsys.readouterr().err
    assert main(["serve", "backup", "b.tar", "--config", "ichscan.toml"]) == 0
    assert main(["serve", "restore", "b.tar", "--config", "ichscan.toml"]) == 2
    shutil.rmtree("ichscan-data")
    assert main(["serve", "restore", "b.tar", "--config", "ichscan.toml"]) == 0
    Path("wrong.toml").write_text("[web]\nprot = 1\n")
    assert main(["serve", "--config", "wrong.toml"]) == 2
    assert "unknown key web.prot" in capsys.readouterr().err


def test_check_names_what_does_not_work(tmp_path: Path) -> None:
    peer = Peer("away", "AWAY", port=free_port())
    settings = Settings(folder=tmp_path, dicom=DicomSettings(port=free_port(), peers=(peer,)))
    settings = replace(settings, web=replace(settings.web, port=free_port(), host="192.0.2.1"))
    checks = list(examine(settings, peers=True))
    states = {one.name: one.state.name for one in checks}
    assert states["settings"] == states["model"] == "OK"
    assert {name for name, state in states.items() if state == "FAILED"} == {"database", "web port", "peer away"}
    assert "without encryption" in next(one.found for one in checks if one.name == "database")


def test_systemd_takes_the_unit(project_root: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = (project_root / "deploy" / "ichscan.service").read_text()
    (tmp_path / "ichscan.service").write_text(text.replace("/opt/ichscan/bin/ichscan", sys.executable))
    command = ["systemd-analyze", "verify", str(tmp_path / "ichscan.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    ours = [line for line in done.stderr.splitlines() if "ichscan" in line]
    assert not ours


def test_what_a_check_makes_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["serve", "check"])
    made = [tmp_path / "ichscan-data", *(tmp_path / "ichscan-data").iterdir()]
    assert tmp_path / "ichscan-data" / "ichscan.sqlite3" in made
    assert [path.name for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
