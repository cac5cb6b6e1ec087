"""Writes docs/cli.md from the argument parser: `python docs/make_cli.py`. A test checks that it is up to date."""

import argparse
from pathlib import Path

from ichscan.cli.parser import EXIT_CODES, build_parser

PAGE = Path(__file__).with_name("cli.md")
INTRODUCTION = """\
# The command line

Made by `docs/make_cli.py` from the program itself; do not edit.

ichscan is an assistant, not a medical device. Results go to standard output, problems to standard error; with
`--json -` standard output holds nothing but JSON ([its fields](result-json.md)). A progress bar is shown only on a
terminal.

Anything that is not analysed counts for exit code 1: a localizer or a dose report just as a truncated file. Each is
named, with the reason, on standard error and in the JSON; whoever expects localizers reads the JSON's reasons instead
of the exit code.
"""


def page() -> str:
    """The whole page."""
    parser = build_parser()
    parts = [INTRODUCTION, _exit_codes(), *_sections(parser)]
    return "\n".join(parts)


def _exit_codes() -> str:
    rows = [line.split(maxsplit=1) for line in EXIT_CODES.splitlines()[1:]]
    return "\n".join(["## Exit codes", "", "| code | meaning |", "|---|---|", *(f"| {c} | {m} |" for c, m in rows), ""])


def _sections(parser: argparse.ArgumentParser, depth: int = 2) -> list[str]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, child in action.choices.items():
                found.append(_section(child, summaries.get(name, ""), depth))
                found += _sections(child, depth + 1)
    return found


def _section(parser: argparse.ArgumentParser, summary: str, depth: int) -> str:
    lines = [f"{'#' * depth} {parser.prog}", "", f"{summary[:1].upper()}{summary[1:]}.", ""]
    rows = [_row(action) for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    rows = [row for row in rows if row]
    if rows:
        lines += ["| argument | meaning |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _row(action: argparse.Action) -> str:
    if isinstance(action, argparse._SubParsersAction):
        return ""
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    value = " ".join(value) if isinstance(value, tuple) else value
    if not action.option_strings:
        shown = f"{value}…" if action.nargs == "+" else f"[{value}]" if action.nargs == "?" else value
    else:
        shown = ", ".join(action.option_strings) + (f" {value}" if action.nargs != 0 else "")
    text = (action.help or "").replace("|", "\\|").replace("%%", "%")
    return f"| `{shown}` | {text} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
