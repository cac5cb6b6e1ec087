"""The README and the docs: links resolve, commands are those of CI, nothing of one machine is in them."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"```.*?```", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TRACKED_TEXT = [*PAGES, ROOT / "pyproject.toml", ROOT / "requirements.lock", ROOT / "mkdocs.yml", ROOT / ".ci" / "run"]
ABSOLUTE = re.compile(r"(?<![\w.~$}])/(?:work|tmp|home|root|opt|Users)/[A-Za-z]")
REGISTRY = re.compile(r"pypi\.org|pythonhosted|(?<!emit-)index-url|find-links|simple/", re.IGNORECASE)


def _anchor(heading: str) -> str:
    words = re.sub(r"[^\w\s-]", "", heading.strip().lower().replace("`", ""))
    return re.sub(r"\s+", "-", words)


def _anchors(page: Path) -> set[str]:
    return {_anchor(m) for m in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


def _commands() -> list[str]:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    return [lines[i + 1] for i, line in enumerate(lines) if re.fullmatch(r"# command \d+", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_resolve(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in _anchors(file)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("file", TRACKED_TEXT, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_nothing_of_one_machine(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not ABSOLUTE.findall(text)
    assert not REGISTRY.findall(text)


def test_lock_pins_everything_exactly() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert lines
    assert not [line for line in lines if not re.match(r"[a-z0-9][a-z0-9._-]*==[\w.!+]+( ; .+)?$", line)]


def test_readme_shows_two_one_line_commands_at_its_top() -> None:
    commands = _commands()
    assert len(commands) == 2
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index(commands[1]) < text.index("\n## ")
    assert shlex.split(commands[0])[-2:] == [".venv/bin/ichscan", "demo"]
    assert ".venv/bin/pytest" in shlex.split(commands[1])


@pytest.mark.parametrize("number", [1, 2])
def test_ci_runs_the_commands_of_the_readme(number: int) -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f'bash -euo pipefail -c "$(readme_command {number})"' in script
    function = script[script.index("readme_command() {") :].split("\n}\n")[0] + "\n}\n"
    found = subprocess.run(
        ["bash", "-c", f"{function}readme_command {number}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == _commands()[number - 1]


def test_getting_started_repeats_the_first_command() -> None:
    assert _commands()[0] in (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")


def test_every_documented_ichscan_option_exists() -> None:
    """Shell snippets of README and docs parse with the real command line (nothing is run)."""
    parser = pytest.importorskip("ichscan.cli.parser").build_parser()
    for line in _snippets():
        parser.parse_args(shlex.split(line, comments=True)[1:])


def _snippets() -> list[str]:
    lines = []
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                match = re.search(r"(?:^|\s)(?:\.venv/bin/)?(ichscan [a-z].*)$", line.split("&&")[-1])
                if match and "PATH…" not in line:
                    lines.append(match.group(1))
    return lines
