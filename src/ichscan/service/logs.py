"""What the service writes to standard error: one line per event, as text or JSON, without patient data.

Our own messages hold none. Those of libraries may: they quote values of DICOM elements and of requests. So texts of
foreign exceptions and of Python warnings are left out, only their kind and place are told.
"""

import json
import logging
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from ichscan.errors import IchscanError

QUIET: Final = ("uvicorn", "uvicorn.access", "pynetdicom", "pydicom", "sqlalchemy", "alembic", "httpx", "multipart")
"""Libraries that say more than is asked for; only their errors are told."""
FRAMES: Final = 12


def start_logging(form: Literal["text", "json"], process: str) -> None:
    """Sets up logging of this process, also of errors that nobody caught and of Python's warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process) if form == "json" else TextLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ichscan").setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("uvicorn.access").disabled = True  # its lines hold the queries of QIDO-RS: names of patients
    warnings.showwarning = _warned
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


class TextLines(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO worker-0 ichscan.service.jobs.worker: text`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line: characters that could steer a terminal, or forge a line, become `?`."""
        line = f"{_time(record)} {record.levelname} {self._process} {record.name}: {_message(record)}"
        where = " < ".join(_frames(record))
        return _one_line(f"{line} [{where}]" if where else line)


class JsonLines(logging.Formatter):
    """Objects with time, level, process, logger, message and, of an exception, where."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON in ASCII."""
        told: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": _one_line(_message(record)),
        }
        if where := _frames(record):
            told["where"] = where
        return json.dumps(told)


def _time(record: logging.LogRecord) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{stamp}.{int(record.msecs):03d}Z"


def _message(record: logging.LogRecord) -> str:
    """The message, then of an exception its kind, and its text when it is one of ours."""
    if isinstance(record.msg, BaseException):  # libraries that log an exception as its own message
        return _kind(record.msg)
    message = record.getMessage()
    error = record.exc_info[1] if record.exc_info else None
    return message if error is None else f"{message}: {_kind(error)}"


def _kind(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, IchscanError) else type(error).__name__


def _frames(record: logging.LogRecord) -> list[str]:
    """Where an exception came from, innermost first."""
    trace = record.exc_info[2] if record.exc_info else None
    frames = traceback.extract_tb(trace)[-FRAMES:] if trace is not None else []
    return [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in reversed(frames)]


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    logging.getLogger("python").info("%s at %s:%d", category.__name__, Path(filename).name, lineno)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger("ichscan").critical("not caught", exc_info=(kind, error, trace))


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:
        logging.getLogger("ichscan").critical(
            "not caught in thread %s", told.thread.name if told.thread else "?",
            exc_info=(told.exc_type, told.exc_value, told.exc_traceback),
        )  # fmt: skip
