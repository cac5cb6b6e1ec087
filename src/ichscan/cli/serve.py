"""`ichscan serve`: the box beside the PACS, and what its administrator does with it."""

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ichscan.cli.parser import NOTICE
from ichscan.cli.terminal import complain, printable, remark
from ichscan.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from ichscan.service.query import Found
    from ichscan.service.settings import Peer, Settings

NEEDED: Final = (
    "sqlalchemy",
    "alembic",
    "fastapi",
    "uvicorn",
    "pynetdicom",
    "argon2",
    "prometheus_client",
    "highdicom",
)
CONFIG: Final = Path("ichscan.toml")
ROLES: Final = ("reader", "administrator")
SCOPES: Final = ("store", "read", "metrics")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.description = (
        "Runs the service: receives head CT by DICOM, DICOMweb and upload, analyses, sends results back, and shows "
        f"them in a browser. Without --config it listens on this machine alone. {NOTICE}"
    )
    _config(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions (without one, the service runs)")
    init = actions.add_parser("init", help="write a settings file with every key", allow_abbrev=False)
    init.add_argument(
        "file", nargs="?", type=Path, default=CONFIG, metavar="FILE", help=f"a new file (default: {CONFIG})"
    )
    check = actions.add_parser("check", help="look at settings, folder, database, model and ports", allow_abbrev=False)
    _config(check)
    check.add_argument("--peers", action="store_true", help="also call each DICOM node (C-ECHO)")
    _config(actions.add_parser("status", help="ask the running service whether it works", allow_abbrev=False))
    _configure_fetch(actions.add_parser("fetch", help="have a PACS send studies that did not come", allow_abbrev=False))
    _configure_user(actions.add_parser("user", help="make a user, or set a new password", allow_abbrev=False))
    _configure_token(actions.add_parser("token", help="make or revoke the token of a program", allow_abbrev=False))
    backup = actions.add_parser("backup", help="database, results and images as one archive", allow_abbrev=False)
    _config(backup)
    backup.add_argument("file", type=Path, metavar="FILE", help="a new tar archive")
    backup.add_argument("--no-images", action="store_true", help="without images, which the PACS holds as well")
    restore = actions.add_parser("restore", help="fill an empty folder from a backup", allow_abbrev=False)
    _config(restore)
    restore.add_argument("file", type=Path, metavar="FILE", help="that `backup` wrote")


def _config(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS: the parser of an action must not take away what was said before it
    help_text = "settings (TOML); without it, defaults and the folder ichscan-data"
    parser.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=help_text)


def _configure_user(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("name", metavar="NAME", help="of the user")
    parser.add_argument("--role", choices=ROLES, help="of a new user (default: reader)")
    parser.add_argument("--disable", action="store_true", help="the user may not log in any more")


def _configure_token(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("name", metavar="NAME", help="of the program")
    parser.add_argument(
        "--scope", action="append", choices=SCOPES, help="store images, read results, read metrics; repeatable"
    )
    parser.add_argument("--revoke", action="store_true", help="end the token at once")


def _configure_fetch(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.description = "Asks a DICOM node (C-FIND), and has it send to the running service what this lacks (C-MOVE)."
    parser.add_argument("peer", metavar="PEER", help="its name in dicom.peers")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--study", default="", metavar="UID", help="one study, also when some of it is here")
    which.add_argument("--patient-id", default="", metavar="ID", help="all of a patient, such as earlier ones")
    which.add_argument("--date", default="", metavar="DAYS", help="all with CT: 20261120, or 20261120-20261121")
    parser.add_argument("--list", action="store_true", help="only say what would be fetched")


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is told to stop, or does one action; returns the exit code."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"serve needs {', '.join(missing)}; pip install 'ichscan[serve]'")
    if arguments.action == "init":
        return _init(arguments.file)
    settings = _settings(getattr(arguments, "config", None))
    actions: dict[str | None, Callable[[Settings, argparse.Namespace], int]] = {
        None: _serve, "check": _check, "status": _status, "user": _user, "token": _token, "backup": _backup,
        "restore": _restore, "fetch": _fetch,
    }  # fmt: skip
    before = os.umask(0o077)  # any action may be the first to make the folder or the database: nobody else's
    try:
        return actions[arguments.action](settings, arguments)
    finally:
        os.umask(before)


def _settings(config: Path | None) -> "Settings":
    """The settings; the folder does not change with the folder that processes are started in."""
    from ichscan.service.settings import Settings, read_settings
    from ichscan.service.validate import validate

    settings = Settings() if config is None else read_settings(config)
    validate(settings)
    return replace(settings, folder=settings.folder.resolve())


def _serve(settings: "Settings", arguments: argparse.Namespace) -> int:
    from ichscan.service.logs import start_logging
    from ichscan.service.start import start

    start_logging(settings.log, "ichscan")
    return start(settings, _say)


def _say(line: str) -> None:
    print(printable(line), flush=True)


def _init(file: Path) -> int:
    from ichscan.service.keys import template

    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(template())
    except FileExistsError:
        raise UsageError(f"{file}: expected a new file, found one; give another name") from None
    _say(f"{file}: every key with its default. Then: ichscan serve --config {file}")
    return 0


def _check(settings: "Settings", arguments: argparse.Namespace) -> int:
    from ichscan.doctor import State
    from ichscan.service.check import examine

    code = 0
    for check in examine(settings, peers=arguments.peers):
        _say(f"{'ok    ' if check.state is State.OK else 'FAILED'}  {check.name}: {check.found}")
        if check.state is State.FAILED:
            code = code or check.exit_code
    return code


def _status(settings: "Settings", arguments: argparse.Namespace) -> int:
    from ichscan.service.status import status

    problems = status(settings)
    _say(f"not ready: {', '.join(problems)}" if problems else "ready")
    return 1 if problems else 0


def _user(settings: "Settings", arguments: argparse.Namespace) -> int:
    from ichscan.service.accounts import disable_user, new_password
    from ichscan.service.database import open_database

    database = open_database(settings)
    if arguments.disable:
        disable_user(database, arguments.name)
        _say(f"{arguments.name}: may not log in any more")
        return 0
    password = new_password(database, arguments.name, arguments.role, time.time())
    print(f"The password of {printable(arguments.name)}, to be changed at the next login:", file=sys.stderr)
    _say(password)
    return 0


def _token(settings: "Settings", arguments: argparse.Namespace) -> int:
    from ichscan.service.accounts import new_token, revoke
    from ichscan.service.database import open_database

    database = open_database(settings)
    if arguments.revoke:
        revoke(database, arguments.name)
        _say(f"{arguments.name}: its token is revoked")
        return 0
    if not arguments.scope:
        raise UsageError(f"--scope: expected at least one of {', '.join(SCOPES)}, found none")
    text = new_token(database, arguments.name, arguments.scope, time.time())
    print("The token, which is shown once:", file=sys.stderr)
    _say(text)
    return 0


def _backup(settings: "Settings", arguments: argparse.Namespace) -> int:
    from ichscan.service.backup import backup

    count = backup(settings, arguments.file, images=not arguments.no_images)
    if settings.database:
        complain("the database is not in it; back it up with its own tools (pg_dump)")
    _say(f"{arguments.file}: {count:,} files. It holds patient data: keep it where images are kept.")
    return 0


def _restore(settings: "Settings", arguments: argparse.Namespace) -> int:
    from ichscan.service.backup import restore

    count = restore(settings, arguments.file)
    _say(f"{settings.folder}: {count:,} files restored; now start the service")
    return 0


def _fetch(settings: "Settings", arguments: argparse.Namespace) -> int:
    from ichscan.service.database import open_database
    from ichscan.service.fetch import missing, peer_to_ask
    from ichscan.service.query import find_studies

    peer = peer_to_ask(settings, arguments.peer)
    found = find_studies(
        peer, settings.dicom, study_uid=arguments.study, patient_id=arguments.patient_id, dates=arguments.date
    )
    wanted = found if arguments.study else missing(open_database(settings), found)
    remark(f"{peer.name}: {len(found):,} studies found, {len(wanted):,} to fetch")
    failed = 0
    for number, one in enumerate(wanted, start=1):
        line = f"{number}/{len(wanted)} {one.study_instance_uid} {one.date} {'/'.join(one.modalities)}"
        came, state = (True, f"{one.images or '?'} objects") if arguments.list else _moved(settings, peer, one)
        _say(f"{line}: {state}")
        failed += not came
    return 1 if failed or (arguments.study and not found) else 0


def _moved(settings: "Settings", peer: "Peer", study: "Found") -> tuple[bool, str]:
    """Has one study sent; whether all of it came, and what to say of it. The next study is not kept from coming."""
    from ichscan.service.query import move_study
    from ichscan.service.send.failure import DeliveryError

    try:
        moved = move_study(peer, settings.dicom, study.study_instance_uid)
    except DeliveryError as error:
        return False, str(error)
    if moved.failed:
        return False, f"{moved.sent} objects came, {moved.failed} did not; does the service run, and take them?"
    return True, f"{moved.sent} objects came"
