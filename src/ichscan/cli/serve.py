"""`ichscan serve`: the box beside the PACS, and what its administrator does with it."""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ichscan.cli.parser import NOTICE
from ichscan.cli.terminal import complain, printable
from ichscan.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from ichscan.service.settings import Settings

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
        "restore": _restore,
    }  # fmt: skip
    return actions[arguments.action](settings, arguments)


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
