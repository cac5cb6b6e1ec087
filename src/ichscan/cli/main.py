"""`ichscan`: finds the command, runs it, turns errors into one line and an exit code."""

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, TextIO

from ichscan.cli.parser import build_parser
from ichscan.cli.registry import COMMANDS
from ichscan.cli.terminal import complain
from ichscan.errors import IchscanError, OutputError

INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
LARGE_MATRICES: Final = ("train", "tune")
"""Commands that multiply large matrices with numpy or scikit-learn (PCA, t-SNE)."""
CANNOT_WRITE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code. The only place where errors become text."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] and words[0] not in LARGE_MATRICES:
        # numpy's matrix library starts a thread per core that spins for work: 0.15 s of processor time for nothing
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_characters(stream)
    parsed = build_parser([word for word in words[:1] if word in COMMANDS]).parse_args(words)
    try:
        code: int = importlib.import_module(COMMANDS[parsed.command].module).run(parsed)
        sys.stdout.flush()
        return code
    except IchscanError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return PIPE_CLOSED
    except MemoryError:
        complain("not enough memory; close other programs or analyse fewer slices")
        return IchscanError.exit_code
    except OSError as error:
        _discard_stdout()
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        return OutputError.exit_code if error.errno in CANNOT_WRITE else IchscanError.exit_code


def _never_fail_on_characters(stream: TextIO) -> None:
    """A file name in a script that the terminal does not know is shown escaped instead of ending the run."""
    reconfigure = getattr(stream, "reconfigure", None)  # absent when a test or an IDE replaced the stream
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _discard_stdout() -> None:
    """What is still buffered cannot be written: without this the interpreter would complain once more at exit."""
    try:
        target = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, target)
    os.close(sink)
