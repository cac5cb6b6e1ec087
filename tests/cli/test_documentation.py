"""Every option is in docs/cli.md, and that page is what the program says."""

import argparse
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from ichscan.cli.parser import NOTICE, build_parser
from ichscan.cli.registry import COMMANDS


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _options(child)
        elif not isinstance(action, argparse._HelpAction | argparse._VersionAction):
            assert action.help, f"{action} has no help"
            yield from action.option_strings or [action.metavar or action.dest]


def test_page_is_up_to_date(project_root: Path) -> None:
    script = project_root / "docs" / "make_cli.py"
    spec = importlib.util.spec_from_file_location("make_cli", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (project_root / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == module.page(), "run: python docs/make_cli.py"
    for option in _options(build_parser()):
        assert option in page


def _pages(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _pages(child)


def test_help_fits_a_terminal_and_keeps_names_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    pages = list(_pages(build_parser()))
    assert len(pages) > len(COMMANDS)
    for page in pages:
        assert max(map(len, page.splitlines())) <= 80, page
    told = [" ".join(page.split()) for page in pages]
    assert NOTICE in told[0]
    for described in ("Analyse head CT scans.", "Write predictions as an RSNA 2019 submission."):
        assert any(f"{described} {NOTICE}" in page for page in told)


def test_a_command_loads_only_its_own_module() -> None:
    parser = build_parser(["models"])
    loaded = [name for name in COMMANDS if any(True for _ in _options_of(parser, name))]
    assert loaded == ["models"]


def _options_of(parser: argparse.ArgumentParser, command: str) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            child = action.choices[command]
            yield from (a for a in child._actions if not isinstance(a, argparse._HelpAction))
