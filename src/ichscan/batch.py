"""Many scans: one result JSON per series, by any executor; a run that was ended continues with the same call."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ichscan.errors import IchscanError, InputError, UsageError
from ichscan.report.result import SCHEMA, one_to_json, result
from ichscan.report.write import file_stem, make_folder, write_atomically
from ichscan.scale.executor import Executor, Lost
from ichscan.types import ModelIdentity, Report, Volume

if TYPE_CHECKING:
    from ichscan.dicom import Series
    from ichscan.model.bundle import Bundle

Status = Literal["analysed", "not_analysable", "failed"]
THREADS: Final = 1
"""Of one worker: a worker is one core."""


@dataclass(frozen=True, slots=True)
class SeriesDone:
    """What came of one series, or of a file that could not be read.

    Attributes:
        name: description and UID, or the file; no patient data.
        status: "failed" has no result JSON, so that the next run tries again.
        reason: one sentence when it was not analysed.
        before: its result was there when this run began.
    """

    name: str
    status: Status
    reason: str | None
    before: bool = False


@dataclass(frozen=True, slots=True)
class SeriesTask:
    """One series, and the file its result goes to."""

    series: "Series"
    target: Path


class PredictSeries:
    """What a worker does with a series; the model is opened once per worker."""

    gpus = 0

    def __init__(self, model: Path | None) -> None:
        self._model = model
        self._bundle: Bundle | None = None

    def __call__(self, task: SeriesTask) -> tuple[Status, str | None]:
        """Analyses one series and writes its result."""
        from ichscan.model.bundle import load_bundle
        from ichscan.pipeline import examine_series

        self._bundle = self._bundle or load_bundle(self._model, THREADS)
        try:
            report, volume = examine_series(task.series, self._bundle, class_maps=True)
            told = _told(report, volume)
        except IchscanError:
            raise
        except Exception as error:  # one broken study never stops the rest; the message may hold what is in the file
            return "failed", f"{type(error).__name__} {_place(error)}; report this"
        write_atomically(task.target, told)
        return ("analysed" if report.status == "analysed" else "not_analysable"), report.reason


def predict_batch(
    paths: Sequence[Path],
    folder: Path,
    executor: Executor,
    *,
    model: Path | None = None,
    window: tuple[float, float] | None = None,
) -> Iterator[SeriesDone]:
    """Analyses every series in the paths; writes `<series UID>.json` per series and one JSON per unreadable file.

    Headers are read here, one path after the other, while the workers analyse what was found: a series must not be
    spread over several paths. What has a result already is not analysed again.

    Args:
        paths: folders, files, zip archives, DICOMDIRs; the workers see them under the same names.
        folder: for the results; made when absent.
        executor: does the work.
        model: folder of a model bundle; None = the packaged default.
        window: (centre, width) in HU of 8-bit pictures of slices; without it pictures are not read.

    Yields:
        One per series and per unreadable file, in the order in which they are finished.

    Raises:
        InputError: a path does not exist.
        BundleError: the model cannot be used.
        UsageError: the folder holds results of another model.
        OutputError: disk full, no permission; what is finished is kept.
    """
    from ichscan.model.bundle import load_bundle

    missing = [path for path in paths if not path.exists()]
    if missing:
        raise InputError(f"{missing[0]}: no such file or folder; check the name")
    found = _Found(folder, load_bundle(model, THREADS).identity, window)
    make_folder(folder)
    for one in executor.run(PredictSeries(model), found.tasks(paths)):
        yield from found.told()
        name = _name(one.task.series)
        if isinstance(one, Lost):
            yield SeriesDone(name, "failed", one.reason)
        else:
            yield SeriesDone(name, *one.result)
    yield from found.told()


class _Found:
    """What there is to do, and on the way what needs no worker."""

    def __init__(self, folder: Path, model: ModelIdentity, window: tuple[float, float] | None) -> None:
        self._folder, self._model, self._window = folder, model, window
        self._taken: set[str] = set()
        self._told: deque[SeriesDone] = deque()

    def told(self) -> Iterator[SeriesDone]:
        while self._told:
            yield self._told.popleft()

    def tasks(self, paths: Iterable[Path]) -> Iterator[SeriesTask]:
        from ichscan.dicom import open_series

        for path in paths:
            intake = open_series([path], window=self._window)
            for problem in intake.problems:
                self._note(problem)
            for series in intake.series:
                # Without a UID the files tell which series is meant, in every run.
                target = self._target(series.series_instance_uid or "\n".join(series.files))
                before = self._before(target, _name(series))
                if before is None:
                    yield SeriesTask(series, target)
                else:
                    self._told.append(before)

    def _note(self, problem: str) -> None:
        target = self._target(problem)
        before = self._before(target, "file")
        if before is None:
            report = Report("not_analysable", problem, "", "", "not read", 0)
            write_atomically(target, _told(report, None))
        self._told.append(before or SeriesDone("file", "not_analysable", problem))

    def _target(self, identity: str) -> Path:
        return self._folder / f"{file_stem(identity, self._taken)}.json"

    def _before(self, target: Path, name: str) -> SeriesDone | None:
        """The result of an earlier run, or None when there is none that can be read."""
        found = _read(target)
        if found is None:
            return None
        model = found.get("model")
        if model is not None and model.get("sha256") != self._model.sha256:
            raise UsageError(
                f"{target}: expected results of {self._model.name} {self._model.version}, found one of "
                f"{model.get('name')} {model.get('version')} with other weights; give another --out"
            )
        analysed = found.get("status") == "analysed"
        return SeriesDone(name, "analysed" if analysed else "not_analysable", found.get("reason"), before=True)


def _told(report: Report, volume: Volume | None) -> bytes:
    """The result JSON with its findings, so that `ichscan report` can tell them later."""
    from ichscan.report.find import find
    from ichscan.report.stored import stored

    return one_to_json(result(report, stored(find(report, volume)))).encode("utf-8")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None


def _name(series: "Series") -> str:
    return f"{series.description} {series.series_instance_uid or series.files[0]}".strip()


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"in {Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}"
